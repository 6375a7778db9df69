// SPDX-License-Identifier: Apache-2.0
#include "app/retirement.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <span>
#include <string>
#include <utility>

#include "control/carried_limits.h"
#include "gateway/owned_message.h"

namespace leat::app {
namespace {

constexpr Duration kLookEach = milliseconds(2);
// Clients wait while nobody serves: a process that is not ready by then is not waited for.
constexpr Duration kReadyMax = seconds(10);
// For a mailbox that was full.
constexpr Duration kRetryAfter = milliseconds(2);
// What it takes, beyond the grace, until the last request is cut.
constexpr Duration kCutMax = seconds(5);
// For a process that does not read what it is told.
constexpr Duration kTellAgain = milliseconds(20);

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
  parts_.control->wheel().cancel(ends_timer_);
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
  has_yielded_ = is_resuming_ = is_carrying_ = false;
  parts_.accounts->pause();
  parts_.before->pause();
  give_up_at_ = parts_.control->now() + kReadyMax;
  const Instant ends_by = give_up_at_ + parts_.grace + kCutMax;
  const auto value = static_cast<std::uint64_t>(ends_by.ns);
  for (const auto& each : *parts_.threads) each->post({shard::Message::Kind::kYield, value});
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
    parts_.before->resume();
    parts_.return_to_work();
    for (const auto& each : *parts_.threads) each->post({shard::Message::Kind::kResume});
    return;
  }
  if (!is_yielding_) return;
  if (parts_.control->now() >= give_up_at_) return door_->give_up();
  const bool is_all = yielded_ == parts_.threads->size() && parts_.accounts->is_idle() &&
                      parts_.before->is_idle() && ask_carried();
  if (is_all && !std::exchange(has_yielded_, true)) {
    parts_.leave();
    if (parts_.ledger != nullptr) parts_.ledger->unlock();
    door_->tell_yielded({.tickets = std::exchange(tickets_, {}),
                         .limits = control::bytes_of(std::exchange(carried_, {})),
                         .conversations = parts_.conversations(),
                         .before = parts_.before->sockets()});
  }
  parts_.control->wheel().set(timer_, parts_.control->now() + kLookEach);
}

// Once all of them have yielded, so that nothing is on its way between them. True: all have told.
bool Retirement::ask_carried() {
  if (!std::exchange(is_carrying_, true)) {
    carried_count_ = 0;
    carried_.clear();
    ends_.clear();
    for (const auto& each : *parts_.threads) each->post({shard::Message::Kind::kCarry});
  }
  return carried_count_ == parts_.threads->size();
}

void Retirement::take(std::unique_ptr<policy::CarriedQuantities> carried) {
  ++carried_count_;
  std::ranges::move(*carried, std::back_inserter(carried_));
}

void Retirement::take(std::unique_ptr<policy::CarriedEnds> ends) {
  ends_.insert(ends_.end(), ends->begin(), ends->end());
  if (is_retired_ && door_ != nullptr) tell_ends();
}

void Retirement::tell_ends() {
  while (!ends_.empty()) {
    const std::size_t count = std::min(ends_.size(), control::kCarriedEndsMax);
    if (!door_->tell(control::bytes_of(std::span(ends_).first(count)))) {
      return parts_.control->wheel().set(ends_timer_, parts_.control->now() + kTellAgain);
    }
    ends_.erase(ends_.begin(), ends_.begin() + static_cast<std::ptrdiff_t>(count));
  }
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
  tell_ends();
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
