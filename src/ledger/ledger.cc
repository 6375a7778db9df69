// SPDX-License-Identifier: Apache-2.0
#include "ledger/ledger.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace leat::ledger {

namespace {

// More than the window gathers on any machine of today; a backlog goes out in several of these.
constexpr std::size_t kCommitBytesMax = 256 * 1024;
// How far kGrouped is behind, but for the write itself: below the 5 ms that are promised.
constexpr Duration kGroupedWindow = milliseconds(4);
constexpr std::size_t kGroupedEntries = 256;
constexpr std::int64_t kTickNs = 1'000'000;  // of the wheel

std::size_t round_up(std::size_t value, std::size_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace

Ledger::Ledger(shard::Shard& shard, SegmentSource& source, const LedgerOptions& options)
    : shard_(shard),
      source_(source),
      options_(options),
      pending_(options.pending_bytes_max),
      buffer_(Block::allocate(kCommitBytesMax + kBlockBytes)) {
  const auto address = reinterpret_cast<std::uintptr_t>(buffer_->data());
  buffer_begin_ = round_up(address, kBlockBytes) - address;
  is_next_wanted_ = true;
  source_.want_segment();
  source_.want_emergency();
}

Ledger::~Ledger() {
  shard_.io().forget(*this);
  shard_.wheel().cancel(timer_);
}

LedgerState Ledger::state() const {
  if (!has_started_) return LedgerState::kStarting;
  const bool is_last_resort = current_ && current_->is_emergency && !next_;
  return !current_ || is_stuck_ || is_last_resort ? LedgerState::kUnavailable : LedgerState::kReady;
}

// ---- Appending ----

Ledger::Appended Ledger::append(const UsageRecord& record, DurableWaiter* waiter) {
  const std::span<char> place = pending_.reserve(kRecordBytesMax);
  if (place.empty()) {
    ++stats_.entries_dropped;
    return Appended::kDropped;
  }
  const std::size_t size = encode(record, place);
  if (options_.mode == LedgerMode::kGrouped) waiter = nullptr;
  return take(FrameKind::kUsage, place.first(size), waiter);
}

Ledger::Appended Ledger::append_grant(std::span<const char> grant, DurableWaiter& waiter) {
  LEAT_CHECK(grant.size() <= kGrantBytesMax);
  const std::span<char> place = pending_.reserve(grant.size());
  if (place.empty()) {
    ++stats_.entries_dropped;
    return Appended::kDropped;
  }
  std::copy(grant.begin(), grant.end(), place.begin());
  return take(FrameKind::kGrant, place.first(grant.size()), &waiter);
}

// The entry stands where pending_ made room for it.
Ledger::Appended Ledger::take(FrameKind kind, std::span<const char> payload,
                              DurableWaiter* waiter) {
  LEAT_CHECK(!is_finishing_);
  if (pending_.count() == committing_.entries) oldest_ = shard_.now();
  pending_.push(kind, payload);
  const std::uint64_t sequence = next_sequence_++;
  LEAT_DCHECK(durable_.sequence + pending_.count() == next_sequence_);
  schedule();
  return wait(waiter, sequence);
}

Ledger::Appended Ledger::wait(DurableWaiter* waiter, std::uint64_t sequence) {
  if (has_started_ && (!current_ || is_stuck_)) {
    ++stats_.entries_late;
    return Appended::kNotDurable;
  }
  if (waiter == nullptr) return Appended::kDone;
  LEAT_CHECK(!waiter->is_linked());
  waiter->sequence_ = sequence;
  waiters_.push_back(*waiter);
  return Appended::kWaiting;
}

Ledger::Appended Ledger::finish(DurableWaiter& waiter) {
  LEAT_CHECK(!is_finishing_);
  is_finishing_ = true;
  schedule();
  return wait(&waiter, next_sequence_);
}

// ---- When to commit ----

bool Ledger::has_work() const {
  const bool must_switch = current_ && current_->is_emergency && next_;
  return pending_.count() > 0 || must_switch || (is_finishing_ && !is_finished_);
}

// What this turn appends is gathered; the turn's end decides.
void Ledger::schedule() {
  if (!is_writing_ && has_work()) shard_.mark_dirty(*this);
}

// Waits for the window's end, but never beyond the last tick of the wheel within it, since that is
// the last time that we are sure to be asked. Where turns are frequent, they ask before.
void Ledger::flush() {
  if (is_writing_ || !has_work()) return;
  const bool is_grouped = options_.mode == LedgerMode::kGrouped && !is_waited_for();
  const Duration window = is_grouped ? kGroupedWindow : window_.window();
  const Instant due = oldest_ + window;
  const Instant tick{due.ns / kTickNs * kTickNs};
  const bool is_full = is_grouped && pending_.count() >= kGroupedEntries;
  if (pending_.count() == 0 || is_finishing_ || is_full || tick <= shard_.now()) {
    commit();
  } else {
    shard_.wheel().set(timer_, tick);
  }
}

void Ledger::on_timer() {
  if (!is_writing_) commit();
}

// ---- The commit ----

void Ledger::commit() {
  shard_.wheel().cancel(timer_);
  if (!has_work() || !ensure_current()) return;
  if (!assemble()) {
    is_stuck_ = true;
    return tell_not_durable();
  }
  is_writing_ = true;
  commit_began_ = shard_.now();
  window_.began(commit_began_);
  shard_.io().write_durable(current_->file.fd, buffer_, buffer_begin_,
                            round_up(committing_.end, kBlockBytes), buffer_position_, *this);
}

// Frames what is pending behind what the segment has. False: the segment is full, and there is no
// other.
bool Ledger::assemble() {
  const std::size_t begin = current_->durable_bytes - buffer_position_;
  committing_ = {.end = begin, .sequence = durable_.sequence, .chain = durable_.chain};
  if (!current_->has_begun) {
    char ordinal[kOpenPayloadBytes];
    static_assert(sizeof current_->ordinal == sizeof ordinal);
    std::memcpy(ordinal, &current_->ordinal, sizeof ordinal);
    add_frame(FrameKind::kOpen, ordinal);
  }
  const bool fits_segment = add_entries();
  const bool is_all = committing_.entries == pending_.count();
  const bool may_leave = next_ || (emergency_ && !current_->is_emergency);
  if (is_all && is_finishing_) {
    add_frame(FrameKind::kEnd, {});
    committing_.last = FrameKind::kEnd;
  } else if ((!fits_segment && may_leave) || (current_->is_emergency && next_)) {
    add_frame(FrameKind::kSeal, {});
    committing_.last = FrameKind::kSeal;
  }
  if (committing_.entries == 0 && committing_.last == FrameKind::kUsage) {
    committing_ = {};
    return false;
  }
  std::memset(buffer() + committing_.end, 0,
              round_up(committing_.end, kBlockBytes) - committing_.end);
  return true;
}

// False: the segment has no room for the next. There is always room for its seal.
bool Ledger::add_entries() {
  PendingEntries::Cursor cursor = pending_.begin();
  for (; !pending_.at_end(cursor); pending_.advance(cursor)) {
    const PendingEntries::Item item = pending_.item(cursor);
    const std::size_t end = committing_.end + frame_bytes(item.payload.size());
    if (buffer_position_ + end + frame_bytes(0) > current_->file.bytes) return false;
    if (end + frame_bytes(0) > kCommitBytesMax) break;
    add_frame(item.kind, item.payload);
    ++committing_.sequence;
    ++committing_.entries;
  }
  return true;
}

void Ledger::add_frame(FrameKind kind, std::span<const char> payload) {
  const std::span<char> out(buffer() + committing_.end, frame_bytes(payload.size()));
  std::copy(payload.begin(), payload.end(), out.begin() + kFrameHeaderBytes);
  committing_.chain =
      write_frame({.kind = kind,
                   .payload_bytes = static_cast<std::uint32_t>(payload.size()),
                   .durable_bytes = static_cast<std::uint32_t>(current_->durable_bytes),
                   .sequence = committing_.sequence},
                  current_->seed, committing_.chain, out);
  committing_.end += out.size();
}

void Ledger::on_written(int error) {
  is_writing_ = false;
  const Duration took = shard_.now() - commit_began_;
  stats_.commit_time_max = std::max(stats_.commit_time_max, took);
  stats_.commit_time = stats_.commit_time + took;
  stats_.commit_times.note(kCommitTimeBounds, took);
  if (error != 0) {
    poisoned();
  } else {
    committed();
  }
}

void Ledger::committed() {
  ++stats_.commits;
  stats_.bytes += round_up(committing_.end, kBlockBytes);
  stats_.entries += committing_.entries;
  PendingEntries::Cursor cursor = pending_.begin();
  while (cursor.index < committing_.entries) pending_.advance(cursor);
  pending_.drop(cursor);
  durable_ = {.sequence = committing_.sequence, .chain = committing_.chain};
  current_->has_begun = true;
  current_->durable_bytes = buffer_position_ + committing_.end;
  // The next commit writes the last block again, as far as it is filled.
  const std::size_t whole = committing_.end / kBlockBytes * kBlockBytes;
  std::memmove(buffer(), buffer() + whole, committing_.end - whole);
  buffer_position_ += whole;
  const FrameKind last = committing_.last;
  committing_ = {};
  if (last == FrameKind::kEnd) is_finished_ = true;
  if (last != FrameKind::kUsage) leave_segment(SegmentFate::kSealed);
  if (listener_ != nullptr) listener_->on_durable_until(durable_.sequence);
  tell_durable();
  schedule();
}

// Nothing of this file is relied upon but what was reported before, and nothing is tried on it
// again: after an error the kernel may drop what it could not write and report success
// (threats-and-faults.md F15).
void Ledger::poisoned() {
  ++stats_.failed_writes;
  committing_ = {};
  leave_segment(SegmentFate::kPoisoned);
  if (!ensure_current()) return tell_not_durable();
  commit();
}

// ---- Segments ----

void Ledger::take_next(const SegmentFile& segment) {
  LEAT_CHECK(!next_);
  is_next_wanted_ = false;
  next_ = segment;
  is_stuck_ = false;
  if (!is_writing_) ensure_current();
  schedule();
}

void Ledger::take_emergency(const SegmentFile& segment) {
  LEAT_CHECK(!emergency_);
  emergency_ = segment;
  is_stuck_ = false;
  schedule();
}

// A segment to write to; false: there is none.
bool Ledger::ensure_current() {
  if (current_) return true;
  if (next_) {
    begin_segment(*next_, false);
    next_.reset();
  } else if (emergency_ && has_started_) {
    begin_segment(*emergency_, true);
    emergency_.reset();
    source_.want_emergency();
  }
  if (!next_ && !std::exchange(is_next_wanted_, true)) source_.want_segment();
  return current_.has_value();
}

void Ledger::begin_segment(const SegmentFile& file, bool is_emergency) {
  has_started_ = true;
  current_ = {.file = file,
              .ordinal = next_ordinal_++,
              .durable_bytes = kSegmentHeaderBytes,
              .seed = segment_seed(file.identity),
              .is_emergency = is_emergency};
  buffer_position_ = kSegmentHeaderBytes;
}

void Ledger::leave_segment(SegmentFate fate) {
  const SegmentFile file = current_->file;
  current_.reset();
  if (fate == SegmentFate::kSealed) ++stats_.segments_sealed;
  if (!is_finished_) ensure_current();
  source_.segment_done(file, fate);
}

// ---- Those who wait ----

void Ledger::tell_durable() {
  while (DurableWaiter* waiter = waiters_.first()) {
    if (waiter->sequence_ >= durable_.sequence && !is_finished_) return;
    waiter->unlink();
    waiter->on_durable(true);
  }
}

// Each of those who wait now. Who appends meanwhile is told by append() itself.
void Ledger::tell_not_durable() {
  while (DurableWaiter* waiter = waiters_.pop_front()) {
    ++stats_.entries_late;
    waiter->on_durable(false);
  }
}

}  // namespace leat::ledger
