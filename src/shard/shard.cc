// SPDX-License-Identifier: Apache-2.0
#include "shard/shard.h"

namespace leat::shard {

namespace {

// Under load the enter waits for a batch: wakeups, not receives, are what can be saved here
// (engine.md 2.2). Nothing waits longer than this for the turn that serves it.
constexpr std::uint32_t kBatchWait = 64;
constexpr Duration kBatchMinWait = microseconds(200);
// While events wait for others anyway.
constexpr std::uint32_t kHeldBatchWait = 256;

}  // namespace

Shard::Shard(io::Io& io, Rng& rng, std::uint32_t index)
    : io_(io), rng_(rng), index_(index), wheel_(io.now()), load_(io.now()), core_(io.now()) {}

void Shard::attach_mailbox(Mailbox& mailbox, MessageHandler& handler) {
  inboxes_.push_back({&mailbox, &handler});
}

void Shard::flush_dirty() {
  // flush() may dirty others (a pipe's other end), but never for ever: bounded by one pass over
  // what is there now plus what that adds.
  while (Flushable* item = dirty_.pop_front()) item->flush();
}

io::TurnOptions Shard::next_turn(Instant latest) {
  io::TurnOptions options;
  options.deadline = std::min({wheel_.next_expiry(), latest, load_.probe_by()});
  if (!deferred_.empty()) options.deadline = io_.now();
  if (expects_at_once_) {
    expects_at_once_ = false;
  } else if (io_.now() < held_until_) {
    options.wait_count = kHeldBatchWait;
    options.min_wait = kHeldBatchTime;
  } else if (load_.is_busy()) {
    options.wait_count = kBatchWait;
    options.min_wait = kBatchMinWait;
  }
  load_.begin_turn(options.deadline);
  return options;
}

void Shard::run_turn(Instant latest) {
  flush_dirty();
  const io::TurnOptions options = next_turn(latest);
  // What was written so far is now in flight; what handlers write from here on goes to the other
  // arena, whose bytes were consumed by the turn before.
  filling_ ^= 1;
  arenas_[filling_].reset();
  io_.turn(options);
  const std::uint64_t completions = io_.stats().completions;
  load_.count(io_.now(), completions - completions_seen_, io_.waiting_time());
  turn_stats_.note(completions - completions_seen_, lateness());
  completions_seen_ = completions;
  if (core_.is_due(io_.now())) core_.sample(io_.now(), io_.cpu_time(), lag());
  read_mailboxes();
  wheel_.advance(io_.now());
  run_deferred();
}

void Shard::run() {
  while (!stopped_) run_turn();
}

void Shard::read_mailboxes() {
  Message message;
  for (const Inbox& inbox : inboxes_) {
    while (inbox.mailbox->take(message)) inbox.handler->on_message(message);
  }
}

void Shard::run_deferred() {
  // Only what is there now: work that defers itself again waits for the next turn.
  IntrusiveList<Deferred, DeferredTag> batch;
  batch.take_all(deferred_);
  while (Deferred* item = batch.pop_front()) item->run_deferred();
}

}  // namespace leat::shard
