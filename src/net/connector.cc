// SPDX-License-Identifier: Apache-2.0
#include "net/connector.h"

namespace leat::net {

namespace {

Error upstream_error(Code code, const char* what) {
  return {code, Source::kUpstream, Retry::kOtherUpstream, 0, what};
}

}  // namespace

void Connector::start(DialSink& sink) {
  LEAT_CHECK(sink_ == nullptr);
  sink_ = &sink;
  last_error_ = upstream_error(Code::kNotFound, "the provider's name has no usable address");
  limit_step(limits_.resolve, "resolving the provider's name took too long");
  resolver_.resolve(origin_.host, *this);
}

Connector::~Connector() {
  if (stream_ != nullptr) stream_->abort();
}

void Connector::on_resolved(const Result<std::span<const io::Address>>& addresses) {
  if (sink_ == nullptr) return;
  if (!addresses) {
    Error error = addresses.error();
    error.source = Source::kUpstream;
    error.retry = Retry::kOtherUpstream;
    return done(fail(error));
  }
  for (io::Address address : *addresses) {
    if (address.is_private() && !origin_.allow_private) {
      last_error_ =
          upstream_error(Code::kUntrusted, "the provider's name points to a private address");
      continue;
    }
    address.port = origin_.port;
    addresses_.push_back(address);
  }
  try_next();
}

void Connector::try_next() {
  while (next_address_ < addresses_.size()) {
    const io::Address& address = addresses_[next_address_++];
    auto stream = streams_.dial(address, origin_.tls, origin_.host, *this);
    if (!stream) {
      last_error_ = stream.error();
      continue;
    }
    stream_ = *stream;
    return limit_step(limits_.connect, "connecting to the provider took too long");
  }
  done(fail(last_error_));
}

void Connector::on_connected() {
  has_connection_ = true;
  limit_step(limits_.handshake, "the TLS handshake with the provider took too long");
}

void Connector::on_open() {
  TcpStream* stream = stream_;
  stream_ = nullptr;
  done(static_cast<Stream*>(stream));
}

void Connector::on_end(const Error& why) {
  last_error_ = why;
  last_error_.source = Source::kUpstream;
  last_error_.retry = Retry::kOtherUpstream;
  stream_->abort();
  stream_ = nullptr;
  try_next();
}

void Connector::limit_step(Duration time, const char* slow) {
  slow_ = slow;
  shard_.wheel().set(timer_, shard_.now() + time);
}

void Connector::on_timeout() {
  last_error_ = upstream_error(Code::kTimedOut, slow_);
  if (stream_ == nullptr) {
    ResolveRequest::unlink();
    return done(fail(last_error_));
  }
  stream_->abort();
  stream_ = nullptr;
  try_next();
}

void Connector::done(Result<Stream*> result) {
  shard_.wheel().cancel(timer_);
  DialSink* sink = sink_;
  sink_ = nullptr;
  sink->on_dialed(*this, std::move(result));
}

}  // namespace leat::net
