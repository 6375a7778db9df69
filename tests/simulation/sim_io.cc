// SPDX-License-Identifier: Apache-2.0
#include "simulation/sim_io.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace leat::sim {

namespace {

// What the CPU needs between two turns, and how long a turn is when it is slow. Below the 10 ms in
// which a client's going away must have reached the provider.
constexpr Duration kTurnTimeMax = microseconds(60);
constexpr Duration kSlowTurnMax = milliseconds(4);
constexpr std::int64_t kCheapness = 10;
constexpr Duration kWakeTimeMax = microseconds(20);

}  // namespace

SimIo::SimIo(World& world, const io::Address& host)
    : world_(world), host_(host), now_(world.now()), wall_now_(world.wall_now()) {
  if (world.faults().of(Fault::kSlowTurn) > 0) hold_slack_ = milliseconds(30);
}

SimIo::~SimIo() {
  world_.disk().forget(*this);
}

void SimIo::start() {
  schedule_turn(world_.now());
}

void SimIo::broken(const char* rule) {
  world_.violation(std::string("the caller of Io broke its contract: ") + rule);
}

// ---- Turn --------------------------------------------------------------------------------------

void SimIo::wake() {
  woken_ = true;
  stir();
}

void SimIo::hold_until(Instant until) {
  busy_until_ = std::max(busy_until_, until);
}

// Moves the next turn forward to `when`, or to where the CPU is free, never back.
void SimIo::schedule_turn(Instant when) {
  when = std::max(when, busy_until_);
  if (stopped_ || when == kNever || turn_at_ <= when) return;
  turn_at_ = when;
  world_.schedule(when, EventKind::kTurn, event_callback<&SimIo::on_turn_due>, this,
                  ++turn_number_);
}

void SimIo::on_turn_due(std::uint64_t number) {
  if (number != turn_number_ || stopped_) return;
  turn_at_ = kNever;
  if (world_.now() < busy_until_) return schedule_turn(busy_until_);  // it was held meanwhile
  const std::uint64_t turns_before = stats_.turns;
  if (run_turn_) run_turn_();
  LEAT_CHECK(stats_.turns == turns_before + 1 || stopped_);
  cpu_time_ = cpu_time_ + spent_;
  busy_until_ = std::max(busy_until_, world_.now() + std::exchange(spent_, Duration{}));
  plan_turn();
}

void SimIo::plan_turn() {
  Rng& rng = world_.rng();
  if (slept_) {
    if (!ready_.empty() && !waited_batch_) schedule_turn(world_.now());
    schedule_turn(sleeps_until_);
    return;
  }
  const Duration busy = world_.strikes(Fault::kSlowTurn) ? kSlowTurnMax : kTurnTimeMax;
  schedule_turn(std::max(busy_until_, world_.now()) + nanoseconds(rng.between(1'000, busy.ns)));
}

void SimIo::queue(const Completion& completion) {
  ready_.push_back(completion);
  if (slept_ && !waited_batch_) {
    schedule_turn(world_.now() + nanoseconds(world_.rng().between(0, kWakeTimeMax.ns)));
  }
}

// Waiting for a batch: as the kernel, it ends when the batch is full or the wait is over.
bool SimIo::may_harvest(const io::TurnOptions& options) {
  const bool is_batch_due = ready_.size() >= options.wait_count || waited_batch_ || woken_ ||
                            options.min_wait <= Duration{} || options.deadline <= now_;
  waited_batch_ = false;
  if (is_batch_due || !short_sends_.empty()) return true;
  waited_batch_ = true;
  sleeps_until_ = std::min(options.deadline, now_ + options.min_wait);
  return false;
}

void SimIo::turn(const io::TurnOptions& options) {
  if (in_turn_) return broken("turn() from inside a handler");
  in_turn_ = true;
  ++stats_.turns;
  now_ = world_.now();
  wall_now_ = world_.wall_now();
  // A completion queue that is full: the kernel takes nothing more before what is there is reaped,
  // so handlers run before the sends of their turn are under way.
  const bool is_full = !ready_.empty() && world_.strikes(Fault::kFullRings);
  if (is_full) dispatch();
  submit();
  slept_ = false;
  if (!may_harvest(options)) {
    slept_ = true;
  } else {
    // What handlers did already may be due before the deadline, which was agreed on before.
    const bool is_idle =
        !is_full && ready_.empty() && short_sends_.empty() && !woken_ && options.deadline > now_;
    woken_ = false;
    dispatch();
    if (is_idle) {
      slept_ = true;
      sleeps_until_ = options.deadline;
    }
  }
  in_turn_ = false;
}

void SimIo::submit() {
  submit_files();
  std::vector<Staged> batch;
  batch.swap(staged_);
  for (Staged& staged : batch) {
    if (find(staged.socket) == nullptr) continue;
    submit_send(staged, true);
    if (staged.error != 0) short_sends_.push_back(std::move(staged));
  }
  for (const io::SocketId id : after_sends_) {
    if (Socket* socket = find(id)) after_submission(*socket);
  }
  after_sends_.clear();
}

void SimIo::report_short_send() {
  const std::size_t index = world_.rng().below(short_sends_.size());
  std::swap(short_sends_[index], short_sends_.back());
  const Staged staged = std::move(short_sends_.back());
  short_sends_.pop_back();
  Socket* socket = find(staged.socket);
  if (socket == nullptr) {
    ++stats_.late_completions;
    return;
  }
  if (digest(staged.segments) != staged.digest) {
    broken("bytes of a send() changed before its turn() returned");
  }
  ++stats_.completions;
  ++stats_.short_sends;
  socket->handler->on_send_short(staged.sent, staged.error);
}

// Some of what is ready, in any order, and all short sends of this turn among it; what handlers
// cause waits for the next turn.
void SimIo::dispatch() {
  Rng& rng = world_.rng();
  while (ready_.empty() && !short_sends_.empty()) report_short_send();
  if (ready_.empty()) return;
  std::size_t left = ready_.size();
  std::size_t count = rng.chance(0.7) ? left : static_cast<std::size_t>(rng.below(left)) + 1;
  for (; count > 0; --count, --left) {
    const std::size_t index = rng.below(left);
    const Completion completion = ready_[index];
    // The first `left` are those of before; the last of them fills the gap, the newest its place.
    ready_[index] = ready_[left - 1];
    ready_[left - 1] = ready_.back();
    ready_.pop_back();
    while (!short_sends_.empty() && rng.chance(0.5)) report_short_send();
    dispatch_one(completion);
  }
  while (!short_sends_.empty()) report_short_send();
}

void SimIo::dispatch_one(const Completion& completion) {
  world_.trace().mix((static_cast<std::uint64_t>(completion.op) << 56) ^
                     (static_cast<std::uint64_t>(completion.slot) << 24) ^
                     static_cast<std::uint64_t>(completion.result));
  ++stats_.completions;
  if (completion.op == Op::kAccept) return dispatch_accept(completion);
  if (completion.op == Op::kPoll) return dispatch_poll(completion);
  if (completion.op == Op::kFile) return dispatch_file(completion);
  Socket* socket = find({completion.slot, completion.generation});
  if (socket == nullptr) {
    ++stats_.late_completions;
    return;
  }
  spent_ = spent_ + (socket->is_outgoing ? cost_ : nanoseconds(cost_.ns / kCheapness));
  if (completion.op == Op::kReadable) {
    socket->is_readable_queued = false;
    if (socket->has_into) return deliver_into(*socket);
    if (socket->is_streaming) return deliver(*socket);
    if (!socket->end->is_peer_gone()) return;  // it was queued for what was read since
    if (std::exchange(socket->is_watched, false)) socket->handler->on_peer_gone();
    return;
  }
  if (completion.op == Op::kReleased) return dispatch_released(*socket);
  if (completion.op == Op::kBlockSent) {
    const std::size_t sent = socket->outgoing_sent;
    socket->block_state = BlockState::kNone;
    socket->outgoing.reset();
    if (completion.result == 0) try_half_close(*socket);
    socket->handler->on_send_block(sent, completion.result);
    return;
  }
  socket->is_connecting = false;
  socket->handler->on_connect(completion.result);
}

// ---- Foreign descriptors -----------------------------------------------------------------------

void SimIo::poll_start(int fd, unsigned events, io::PollHandler& handler) {
  if (polls_.contains(fd)) return broken("poll_start() while one is under way on the descriptor");
  polls_[fd] = {&handler, next_generation_++, 0};
  static_cast<void>(events);
}

void SimIo::poll_stop(int fd, io::PollHandler& handler) {
  const auto found = polls_.find(fd);
  if (found != polls_.end() && found->second.handler == &handler) polls_.erase(found);
}

void SimIo::set_ready(int fd, int events) {
  const auto found = polls_.find(fd);
  if (found == polls_.end()) return;
  queue({Op::kPoll, static_cast<std::uint32_t>(fd), found->second.generation, events});
}

void SimIo::dispatch_poll(const Completion& completion) {
  const auto fd = static_cast<int>(completion.slot);
  const auto found = polls_.find(fd);
  if (found == polls_.end() || found->second.generation != completion.generation) {
    ++stats_.late_completions;
    return;
  }
  io::PollHandler* handler = found->second.handler;
  polls_.erase(found);
  handler->on_poll(fd, completion.result);
}

}  // namespace leat::sim
