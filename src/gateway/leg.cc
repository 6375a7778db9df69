// SPDX-License-Identifier: Apache-2.0
#include "gateway/leg.h"

#include "base/prefetch.h"
#include "gateway/exchange.h"

namespace leat::gateway {

Exchange& Leg::here() {
  exchange_.leg_ = this;
  return exchange_;
}

void Leg::drop() {
  PoolWaiter::unlink();
  if (upstream != nullptr) upstream->cancel();
  upstream = nullptr;
}

void Leg::stop(Wheel& wheel) {
  drop();
  wheel.cancel(timer);
  collected.reset();
  stalled_since = kNever;
  is_paused = false;
  state = State::kIdle;
}

void Leg::on_upstream(Result<net::UpstreamCall*> call) {
  here().on_upstream(std::move(call));
}

void Leg::on_reply_head(const proto::ResponseHead& head) {
  here().on_reply_head(head);
}

void Leg::on_reply_body(std::string_view bytes) {
  here().on_reply_body(bytes);
}

bool Leg::foresee(int depth) const {
  if (depth > 0) return exchange_.foresee(depth - 1);
  prefetch(*this);
  return true;
}

void Leg::on_reply_pause() {
  here().on_reply_pause();
}

void Leg::on_reply_end() {
  here().on_reply_end();
}

void Leg::on_reply_failed(const Error& why) {
  here().on_reply_failed(why);
}

net::Stream& Leg::on_commit() {
  return here().on_commit();
}

dialect::UsageCost Leg::cost_of(const dialect::ChatUsage& usage) {
  return here().cost_of(usage);
}

void Leg::on_timer() {
  here().on_timer();
}

}  // namespace leat::gateway
