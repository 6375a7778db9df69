// SPDX-License-Identifier: Apache-2.0
#include "gateway/passage.h"

#include <utility>

namespace leat::gateway {
namespace {

// What may wait for a side that does not read.
constexpr std::size_t kBacklogMax = 256 * 1024;

}  // namespace

Passage::~Passage() {
  if (stream_ != nullptr) stream_->abort();
}

void Passage::start(net::Dialer& dialer, std::string first) {
  first_ = std::move(first);
  client_.pause();
  dial_ = dialer.new_dial();
  dial_->start(*this);
}

void Passage::on_dialed(net::Dial&, Result<net::Stream*> stream) {
  if (!stream) return user_.on_passage_over(End::kNotReached);
  stream_ = *stream;
  stream_->set_user(*this);
  stream_->write(first_);
  first_ = {};
  client_.resume();
}

void Passage::write(std::string_view bytes) {
  if (stream_ == nullptr) {
    first_ += bytes;
    return;
  }
  stream_->write(bytes);
  if (is_client_paused_ || stream_->backlog_bytes() <= kBacklogMax) return;
  is_client_paused_ = true;
  client_.pause();
}

void Passage::on_drained() {
  if (std::exchange(is_client_paused_, false)) client_.resume();
}

void Passage::on_bytes(std::span<char> bytes) {
  client_.write({bytes.data(), bytes.size()});
  if (is_successor_paused_ || client_.backlog_bytes() <= kBacklogMax) return;
  is_successor_paused_ = true;
  stream_->pause();
}

void Passage::client_drained() {
  if (std::exchange(is_successor_paused_, false) && stream_ != nullptr) stream_->resume();
}

void Passage::on_end(const Error& why) {
  std::exchange(stream_, nullptr)->abort();
  user_.on_passage_over(why.code == Code::kClosed ? End::kWhole : End::kBroken);
}

}  // namespace leat::gateway
