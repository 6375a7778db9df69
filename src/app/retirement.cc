// SPDX-License-Identifier: Apache-2.0
#include "app/retirement.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <utility>

#include "gateway/owned_message.h"

namespace leat::app {
namespace {

constexpr Duration kLookEach = milliseconds(2);
// Clients wait while nobody serves: a process that is not ready by then is not waited for.
constexpr Duration kReadyMax = seconds(10);
// For a mailbox that was full.
constexpr Duration kRetryAfter = milliseconds(2);

}  // namespace

Retirement::Retirement(Parts parts, const control::TakeoverSockets& sockets)
    : parts_(std::move(parts)), successor_(sockets.passed_to) {
  control::TakeoverDoor::Actions actions;
  actions.yield = [this] { yield(); };
  actions.pass_on = [this] { pass_on(); };
  actions.resume = [this] { resume(); };
  door_ =
      std::make_unique<control::TakeoverDoor>(parts_.control->io(), sockets, std::move(actions));
}

void Retirement::stop() {
  parts_.control->wheel().cancel(timer_);
  door_.reset();
}

void Retirement::take(const shard::Message& message) {
  const auto mail = gateway::owned_of<gateway::TicketMail>(message);
  std::ranges::move(mail->lent, std::back_inserter(tickets_));
}

void Retirement::yield() {
  std::printf("leat: another process is about to take over\n");
  std::fflush(stdout);
  yielded_ = 0;
  tickets_.clear();
  is_yielding_ = true;
  has_yielded_ = is_resuming_ = false;
  parts_.accounts->pause();
  for (const auto& each : *parts_.threads) each->post({shard::Message::Kind::kYield});
  give_up_at_ = parts_.control->now() + kReadyMax;
  on_timer();
}

void Retirement::on_timer() {
  if (is_retired_) return post_untold();
  if (is_resuming_) {
    // The other process has it until it ends.
    if (parts_.ledger != nullptr && !parts_.ledger->lock()) {
      return parts_.control->wheel().set(timer_, parts_.control->now() + kLookEach);
    }
    is_resuming_ = false;
    parts_.accounts->resume();
    parts_.return_to_work();
    for (const auto& each : *parts_.threads) each->post({shard::Message::Kind::kResume});
    return;
  }
  if (!is_yielding_) return;
  if (parts_.control->now() >= give_up_at_) return door_->give_up();
  const bool is_all = yielded_ == parts_.threads->size() && parts_.accounts->is_idle();
  if (is_all && !std::exchange(has_yielded_, true)) {
    parts_.leave();
    if (parts_.ledger != nullptr) parts_.ledger->unlock();
    door_->tell_yielded(std::exchange(tickets_, {}));
  }
  parts_.control->wheel().set(timer_, parts_.control->now() + kLookEach);
}

void Retirement::pass_on() {
  is_yielding_ = false;
  is_retired_ = true;
  parts_.control->wheel().cancel(timer_);
  for (std::size_t i = 0; i < parts_.threads->size(); ++i) {
    untold_.push_back(std::make_unique<gateway::Successor>(successor_));
  }
  post_untold();
  parts_.retire();
}

// Until a shard hears of it, whoever sends it a request waits.
void Retirement::post_untold() {
  bool is_any_left = false;
  for (std::size_t i = 0; i < untold_.size(); ++i) {
    if (untold_[i] == nullptr || (*parts_.threads)[i]->post(untold_[i])) continue;
    is_any_left = true;
  }
  if (is_any_left) parts_.control->wheel().set(timer_, parts_.control->now() + kRetryAfter);
}

void Retirement::resume() {
  std::printf("leat: the other process has gone, or took too long: this one goes on\n");
  std::fflush(stdout);
  is_yielding_ = false;
  is_resuming_ = true;
  on_timer();
}

}  // namespace leat::app
