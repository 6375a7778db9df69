// SPDX-License-Identifier: Apache-2.0
#include "net/listener.h"

namespace leat::net {

namespace {

// Out of descriptors: long enough to cost nothing, short enough that clients in the accept queue
// hardly notice (threats-and-faults.md F21: within 1 s).
constexpr Duration kRetryAfter = milliseconds(100);

}  // namespace

Result<void> Listener::open(const io::Address& address) {
  LEAT_TRY(listener_, shard_.io().listen(address, io::ListenOptions{}));
  shard_.io().accept_start(listener_, *this);
  return {};
}

Result<void> Listener::open_local(const std::string& path) {
  LEAT_TRY(listener_, shard_.io().listen_local(path));
  shard_.io().accept_start(listener_, *this);
  return {};
}

void Listener::finish() {
  shard_.wheel().cancel(retry_);
  if (listener_) shard_.io().accept_finish(listener_);
}

void Listener::resume() {
  if (listener_) shard_.io().accept_start(listener_, *this);
}

void Listener::close() {
  shard_.wheel().cancel(retry_);
  if (listener_) shard_.io().listener_close(listener_);
  listener_ = {};
}

void Listener::on_accept(io::SocketId socket, const io::Address& peer) {
  sink_.on_connection(socket, peer, is_tls_);
}

void Listener::on_accept_end(int) {
  if (listener_) shard_.wheel().set(retry_, shard_.now() + kRetryAfter);
}

void Listener::on_retry() {
  shard_.io().accept_start(listener_, *this);
}

}  // namespace leat::net
