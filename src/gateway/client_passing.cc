// SPDX-License-Identifier: Apache-2.0
// Passing a client on to the process that takes over from this one, and taking one from the process
// before.
#include <algorithm>
#include <cstring>
#include <utility>

#include "gateway/client_conn.h"
#include "gateway/gateway.h"
#include "gateway/succession.h"

namespace leat::gateway {

// ---- To the successor --------------------------------------------------------------------------

void ClientConn::yield() {
  draining_ = true;
}

void ClientConn::resume() {
  draining_ = passed_by_ != nullptr;
  if (state_ == State::kHead && kept_) gateway_.shard().defer(*this);
}

void ClientConn::wait_for_successor(std::string_view in) {
  gateway_.shard().wheel().cancel(timer_);
  keep_for_later(in);
  if (gateway_.succession()->has_successor()) pass_on_kept();
}

void ClientConn::pass_on_kept() {
  if (state_ != State::kHead || !kept_) return;
  state_ = State::kPassing;
  gateway_.shard().wheel().cancel(timer_);
  Passage::User& user = *this;
  passage_ = std::make_unique<Passage>(user, *stream_);
  gateway_.succession()->begin(*passage_, peer_, {kept_->data(), kept_->size});
  kept_.reset();
}

void ClientConn::on_passage_over(Passage::End end) {
  if (state_ == State::kClosed) return;
  if (end == Passage::End::kWhole) return close_after_answer();
  if (end == Passage::End::kBroken) return close_now();
  begin();
  gateway_.refused("successor_gone", -1, peer_, 0);
  wants_keep_alive_ = false;
  answer_error(dialect::ErrorKind::kOverloaded, {}, {});
  close_after_answer();
}

// ---- From the process before -------------------------------------------------------------------

void ClientConn::read_preamble(std::string_view& in) {
  if (!kept_) kept_ = Block::allocate(kPreambleBytes);
  const std::size_t taken = std::min(in.size(), kPreambleBytes - kept_->size);
  std::memcpy(kept_->data() + kept_->size, in.data(), taken);
  kept_->size += taken;
  in.remove_prefix(taken);
  if (kept_->size < kPreambleBytes) return;
  const auto client = gateway::read_preamble(
      *passed_by_, std::span<const char, kPreambleBytes>(kept_->data(), kPreambleBytes));
  kept_.reset();
  if (!client) {
    in = {};
    return close_now();
  }
  state_ = State::kHead;
  // It was let in by the process before: over a limit by now, it counts as that process.
  if (!gateway_.addresses().try_enter(*client, gateway_.shard().now())) return;
  gateway_.addresses().left(peer_, false);
  peer_ = *client;
}

}  // namespace leat::gateway
