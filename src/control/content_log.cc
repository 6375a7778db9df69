// SPDX-License-Identifier: Apache-2.0
#include "control/content_log.h"

#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <semaphore>
#include <thread>
#include <utility>
#include <vector>

#include "control/content_files.h"
#include "control/content_line.h"

namespace leat::control {

namespace {

using gateway::ContentRing;

// A shard wakes nobody for a record: it is looked for so often.
constexpr std::chrono::milliseconds kLookEach(50);
constexpr std::chrono::seconds kTidyEach(60);
// How long the end of the process waits for what is left.
constexpr std::chrono::milliseconds kGrace(500);

WallTime wall_now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::nanoseconds>(since).count()};
}

ContentFiles::Setup files_of(const ContentLogSettings& settings) {
  return {.folder = settings.folder,
          .file_bytes_max = std::uint64_t{settings.file_mib_max} << 20,
          .total_bytes_max = std::uint64_t{settings.total_mib_max} << 20,
          .retention_days = settings.retention_days,
          .process = getpid()};
}

}  // namespace

struct ContentLog::State {
  State(const ContentLogSettings& with, std::uint32_t shards)
      : folder(with.folder), settings(with), files(files_of(with)) {
    for (std::uint32_t i = 0; i < shards; ++i) rings.push_back(std::make_unique<ContentRing>());
  }
  ~State() { delete next.load(); }

  const std::string folder;
  std::vector<std::unique_ptr<ContentRing>> rings;
  bool is_started = false;  // the owner's
  std::binary_semaphore ending{0};
  std::binary_semaphore ended{0};
  std::atomic<std::uint64_t> written{0};
  std::atomic<std::uint64_t> failed{0};
  std::atomic<int> fault{0};  // of the last record that was not written; 0: none, or it was told
  // Handed over by the owner; whoever takes it out frees it. Null: the thread has it.
  std::atomic<const ContentLogSettings*> next{nullptr};
  // The thread's.
  ContentLogSettings settings;
  ContentFiles files;
  std::string line;

  void run();
  void take_settings();
  void drain();
};

ContentLog::ContentLog(const ContentLogSettings& settings, std::uint32_t shards)
    : state_(std::make_shared<State>(settings, shards)) {}

ContentLog::~ContentLog() {
  if (!state_->is_started) return;
  state_->ending.release();
  (void)state_->ended.try_acquire_for(kGrace);
}

gateway::ContentRing* ContentLog::ring(std::uint32_t shard) {
  return state_->rings[shard].get();
}

void ContentLog::start() {
  state_->is_started = true;
  std::thread([state = state_] { state->run(); }).detach();
}

void ContentLog::change(const ContentLogSettings& settings) {
  // One that was not taken in time is of no use any more.
  delete state_->next.exchange(new ContentLogSettings(settings), std::memory_order_acq_rel);
}

std::uint64_t ContentLog::written() const {
  return state_->written.load(std::memory_order_relaxed);
}

std::uint64_t ContentLog::dropped() const {
  std::uint64_t dropped = state_->failed.load(std::memory_order_relaxed);
  for (const auto& ring : state_->rings) dropped += ring->dropped();
  return dropped;
}

std::string ContentLog::take_trouble() {
  const int fault = state_->fault.exchange(0, std::memory_order_relaxed);
  if (fault == 0) return {};
  return fmt::format("content log: {} does not take records: {}", state_->folder,
                     std::strerror(fault));
}

void ContentLog::State::run() {
  pthread_setname_np(pthread_self(), "leat-content");
  auto tidied = std::chrono::steady_clock::now() - kTidyEach;
  bool is_last = false;
  while (!is_last) {
    is_last = ending.try_acquire_for(kLookEach);
    drain();
    const auto now = std::chrono::steady_clock::now();
    if (now - tidied < kTidyEach) continue;
    files.tidy(wall_now());
    tidied = now;
  }
  ended.release();
}

void ContentLog::State::take_settings() {
  if (next.load(std::memory_order_acquire) == nullptr) return;
  const std::unique_ptr<const ContentLogSettings> taken(
      next.exchange(nullptr, std::memory_order_acq_rel));
  if (taken == nullptr) return;
  settings = *taken;
  files.set_limits(files_of(settings));
  files.tidy(wall_now());
}

void ContentLog::State::drain() {
  take_settings();
  for (const auto& ring : rings) {
    ring->drain([this](std::span<const char> bytes) {
      // Before each: what was pushed after a change is written by it.
      take_settings();
      const auto record = gateway::decode_content(bytes);
      if (!record) return;
      line.clear();
      append_content_line(*record, settings.redact, line);
      if (const int why = files.append(line, wall_now()); why != 0) {
        fault.store(why, std::memory_order_relaxed);
        failed.fetch_add(1, std::memory_order_relaxed);
      } else {
        written.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
}

}  // namespace leat::control
