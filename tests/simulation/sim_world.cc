// SPDX-License-Identifier: Apache-2.0
#include "simulation/sim_world.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace leat::sim {

namespace {
constexpr std::size_t kViolationsKept = 8;
}  // namespace

World::World(std::uint64_t seed, const FaultPlan& faults)
    : rng_(seed), faults_(faults), network_(*this), disk_(*this) {}

World::~World() = default;

bool World::is_later(const Event& a, const Event& b) {
  if (a.at != b.at) return a.at > b.at;
  if (a.order != b.order) return a.order > b.order;
  return a.sequence > b.sequence;
}

bool World::strikes(Fault fault) {
  const double probability = faults_.of(fault);
  if (probability <= 0 || !rng_.chance(probability)) return false;
  count(fault);
  return true;
}

void World::schedule(Instant when, EventKind kind, Callback callback, void* context,
                     std::uint64_t argument) {
  queue_.push_back(
      {std::max(when, now_), rng_.next(), sequence_++, callback, context, argument, kind});
  std::push_heap(queue_.begin(), queue_.end(), is_later);
}

bool World::run_next(Instant latest) {
  if (queue_.empty() || queue_.front().at > latest) {
    if (latest != kNever) now_ = std::max(now_, latest);
    return false;
  }
  std::pop_heap(queue_.begin(), queue_.end(), is_later);
  const Event event = queue_.back();
  queue_.pop_back();
  now_ = event.at;
  ++events_run_;
  trace_.mix(static_cast<std::uint64_t>(event.at.ns) ^
             (static_cast<std::uint64_t>(event.kind) << 56));
  if (events_run_ % 64 == 0 && strikes(Fault::kWallJump)) {
    wall_offset_ = wall_offset_ + seconds(rng_.between(-90'000, 90'000));
  }
  event.callback(event.context, event.argument);
  return true;
}

void World::violation(std::string what) {
  say("VIOLATION: %s", what.c_str());
  if (violations_.size() < kViolationsKept) violations_.push_back(std::move(what));
}

void World::say(const char* format, ...) const {
  if (!verbose) return;
  std::fprintf(stderr, "%14.6f  ", static_cast<double>(now_.ns) * 1e-9);
  va_list arguments;
  va_start(arguments, format);
  std::vfprintf(stderr, format, arguments);
  va_end(arguments);
  std::fputc('\n', stderr);
}

}  // namespace leat::sim
