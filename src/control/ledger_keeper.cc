// SPDX-License-Identifier: Apache-2.0
#include "control/ledger_keeper.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "gateway/owned_message.h"
#include "ledger/recovery.h"

namespace leat::control {

namespace {

// Some 20,000 records: more than run at once, for when no other segment can be had; and enough to
// begin with, so that a start need not wait for the usual size of all shards to be written.
constexpr std::uint64_t kSmallBytes = std::uint64_t{8} << 20;
// A disk that was full is asked again.
constexpr std::chrono::seconds kRetryInterval{1};

WallTime wall_now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::nanoseconds>(since).count()};
}

std::string fault_text(const std::string& folder, const Error& error) {
  std::string text = "ledger.folder " + folder + ": " + std::string(error.what);
  if (error.os_errno != 0) text += std::string(" (") + std::strerror(error.os_errno) + ")";
  return text;
}

// Another after each start of the machine; empty where there is none.
std::string boot_id() {
  std::FILE* file = std::fopen("/proc/sys/kernel/random/boot_id", "re");
  if (file == nullptr) return {};
  char text[64];
  const std::size_t size = std::fread(text, 1, sizeof text, file);
  std::fclose(file);
  return {text, size};
}

std::vector<std::string> key_names(const Options& options) {
  std::vector<std::string> names;
  for (const ClientKey& key : options.keys) names.push_back(key.name);
  return names;
}

// What a power cut may have cost, in the folder.
constexpr const char* kLostFile = "lost";

}  // namespace

// ---- The shard's side ----

void LedgerDesk::tell(Wish wish) {
  const bool is_told = wishes_.give(wish);
  LEAT_CHECK(is_told);
  keeper_.work_.release();
}

void LedgerDesk::want_segment() {
  if (std::exchange(has_first_segment_, false)) return;
  tell({.kind = Wish::Kind::kSegment});
}

void LedgerDesk::want_emergency() {
  if (std::exchange(has_first_emergency_, false)) return;
  tell({.kind = Wish::Kind::kEmergency});
}

void LedgerDesk::segment_done(const ledger::SegmentFile& segment, ledger::SegmentFate) {
  tell({.kind = Wish::Kind::kDone, .segment = segment});
}

void LedgerDesk::recovered_is_durable() {
  tell({.kind = Wish::Kind::kRecovered});
}

// ---- Before the shards ----

LedgerKeeper::LedgerKeeper(const Options& options, std::uint32_t shards)
    : settings_(options.ledger), names_(key_names(options)) {
  for (std::uint32_t i = 0; i < shards; ++i) desks_.push_back(std::make_unique<LedgerDesk>(*this));
}

std::unique_ptr<LedgerKeeper> LedgerKeeper::start(const Options& options, std::uint32_t shards,
                                                  std::string& fault) {
  if (options.ledger.folder.empty()) return nullptr;
  std::unique_ptr<LedgerKeeper> made(new LedgerKeeper(options, shards));
  fault = made->open();
  if (!fault.empty()) return nullptr;
  if (!made->recovered_.empty()) {
    std::fprintf(stderr,
                 "leat: an earlier run was cut off with %zu requests under way; they are recorded "
                 "as ambiguous\n",
                 made->recovered_.size());
  }
  made->thread_ = std::thread([raw = made.get()] { raw->run(); });
  return made;
}

LedgerKeeper::~LedgerKeeper() {
  stop();
  if (folder_) close_all();
}

void LedgerKeeper::stop() {
  if (!thread_.joinable()) return;
  is_ending_.store(true, std::memory_order_release);
  work_.release();
  thread_.join();
}

std::string LedgerKeeper::open() {
  auto folder = SegmentFolder::open(settings_.folder);
  if (!folder) return fault_text(settings_.folder, folder.error());
  folder_ = std::move(*folder);
  if (const auto locked = folder_->lock(); !locked) {
    return fault_text(settings_.folder, locked.error());
  }
  const auto generation = folder_->take_generation(boot_id());
  if (!generation) return fault_text(settings_.folder, generation.error());
  generation_ = *generation;
  if (const auto marked = folder_->mark_alive(generation_); !marked) {
    return fault_text(settings_.folder, marked.error());
  }
  if (const auto swept = folder_->sweep(generation_); !swept) {
    return fault_text(settings_.folder, swept.error());
  }
  if (std::string fault = recover(); !fault.empty()) return fault;
  if (std::string fault = read_usage(); !fault.empty()) return fault;
  for (std::uint32_t i = 0; i < desks_.size(); ++i) {
    if (std::string fault = prepare(i); !fault.empty()) return fault;
  }
  return {};
}

// What stands in the open tables of processes that are gone, less what has a record. Only segments
// from the oldest of those processes on can have it.
std::string LedgerKeeper::recover() {
  const auto files = folder_->list();
  if (!files) return fault_text(settings_.folder, files.error());
  std::vector<ledger::OpenRequests> tables;
  std::vector<ledger::OpenRequests> live_tables;
  std::vector<ledger::OwnedSegment> segments;
  std::vector<MappedFile> mapped_segments;
  std::vector<const LedgerFile*> segment_files;
  for (const LedgerFile& file : *files) {
    auto mapped = folder_->map(file);
    // The last of those before us ends just now: it held nothing that was open or recorded.
    if (!mapped && is_gone(mapped.error())) continue;
    if (!mapped) return fault_text(settings_.folder, mapped.error());
    if (file.kind == LedgerFile::Kind::kSegment) {
      segment_files.push_back(&file);
      segments.push_back({file.owner, mapped->bytes()});
      mapped_segments.push_back(std::move(*mapped));
      continue;
    }
    const bool is_live = folder_->is_alive(file.owner.generation);
    if (is_live) {
      live_.insert(file.owner.generation);
      held_tables_.emplace_back(mapped->bytes().begin(), mapped->bytes().end());
    }
    auto requests = ledger::open_requests(is_live ? held_tables_.back() : mapped->bytes());
    if (!requests) return "ledger.folder " + settings_.folder + ": " + file.name + " is damaged";
    requests->owner = file.owner;
    (is_live ? live_tables : tables).push_back(std::move(*requests));
    if (is_live) continue;
    old_tables_.push_back(file);
    old_mapped_.push_back(std::move(*mapped));
  }
  if (std::string fault = read_lost(tables, segments); !fault.empty()) return fault;
  for (const std::size_t index : ledger::unneeded_segments(segments)) {
    if (live_.contains(segments[index].owner.generation)) continue;
    if (const auto removed = folder_->remove(*segment_files[index]); !removed) {
      return fault_text(settings_.folder, removed.error());
    }
  }
  recovered_ = ledger::unsettled_requests(tables, segments);
  held_ = ledger::unsettled_requests(live_tables, segments);
  return {};
}

// Of a process that ended with its machine, all that was granted may be spent: its open tables were
// never synced.
std::string LedgerKeeper::read_lost(std::span<const ledger::OpenRequests> tables,
                                    std::span<const ledger::OwnedSegment> segments) {
  if (const auto there = folder_->has_file(kLostFile); there && *there) {
    const auto text = folder_->read_file(kLostFile);
    if (!text) return fault_text(settings_.folder, text.error());
    if (!lost_.read(*text)) return "ledger.folder " + settings_.folder + ": lost is damaged";
  }
  const std::string boot = boot_id();
  for (const ledger::OpenRequests& table : tables) {
    if (folder_->boot_of(table.owner.generation) == boot) continue;
    std::vector<std::span<const char>> its;
    for (const ledger::OwnedSegment& each : segments) {
      const bool is_its =
          each.owner.generation == table.owner.generation && each.owner.shard == table.owner.shard;
      if (is_its) its.push_back(each.bytes);
    }
    ledger::replay(its, lost_);
  }
  return {};
}

std::string LedgerKeeper::keep_lost() {
  const auto kept = folder_->write_file(kLostFile, lost_.text());
  if (!kept) return fault_text(settings_.folder, kept.error());
  // What was read from the tables is written down, or will be by whoever settles them.
  if (recovered_.empty()) remove_recovered();
  return {};
}

std::string LedgerKeeper::read_usage() {
  auto view = LedgerView::open(settings_.folder, names_);
  if (!view) return fault_text(settings_.folder, view.error());
  view_ = std::move(*view);
  view_->tail().set_ended_below(live_.empty() ? generation_ : *live_.begin());
  // First, so that a record that comes meanwhile is known to be of one of them.
  for (const ledger::OpenRequest& request : held_) view_->book().hold(request);
  if (const auto read = view_->poll(wall_now()); !read) {
    return fault_text(settings_.folder, read.error());
  }
  for (const ledger::OpenRequest& request : recovered_) view_->book().hold(request);
  // Those of live processes that were settled meanwhile counted as used, and not as held.
  (void)view_->book().take_released();
  held_.clear();
  held_tables_.clear();
  return {};
}

void LedgerKeeper::remove_recovered() {
  for (const LedgerFile& file : old_tables_) {
    // One that stays is read again at the next start, and found to be settled.
    if (const auto removed = folder_->remove(file); !removed) break;
  }
  old_tables_.clear();
  // What stays is tried again at the next start.
  (void)folder_->forget_generations_before(generation_);
}

std::string LedgerKeeper::prepare(std::uint32_t shard) {
  LedgerDesk& desk = *desks_[shard];
  const ledger::SegmentIdentity owner{.generation = generation_, .shard = shard};
  auto table = folder_->create_open_table(owner, settings_.open_requests_max);
  if (!table) return fault_text(settings_.folder, table.error());
  desk.open_table_ = std::move(*table);
  for (int i = 0; i < 2; ++i) {  // the next and the emergency's
    const auto made = make_segment(desk, shard, small_bytes());
    if (!made) return fault_text(settings_.folder, made.error());
  }
  return {};
}

gateway::LedgerParts LedgerKeeper::parts(std::uint32_t shard) {
  LedgerDesk& desk = *desks_[shard];
  gateway::LedgerParts parts;
  parts.keeping = &desk;
  parts.options.mode = settings_.mode == LedgerDurability::kStrict ? ledger::LedgerMode::kStrict
                                                                   : ledger::LedgerMode::kGrouped;
  parts.owner = {.generation = generation_, .shard = shard};
  parts.open_table = desk.open_table_.writable();
  parts.next.segment = desk.segments_[0];
  parts.emergency = {.segment = desk.segments_[1], .is_emergency = true};
  parts.ambiguous_charge = settings_.charge_ambiguous ? ledger::AmbiguousCharge::kReserved
                                                      : ledger::AmbiguousCharge::kNothing;
  if (shard == 0) parts.recovered = recovered_;
  return parts;
}

Result<ledger::SegmentFile> LedgerKeeper::make_segment(LedgerDesk& desk, std::uint32_t shard,
                                                       std::uint64_t bytes) {
  const ledger::SegmentIdentity identity{
      .generation = generation_, .shard = shard, .number = desk.segments_made_};
  LEAT_TRY(const ledger::SegmentFile made, folder_->create_segment(identity, bytes, wall_now()));
  ++desk.segments_made_;
  desk.segments_.push_back(made);
  return made;
}

std::uint64_t LedgerKeeper::small_bytes() const {
  return std::min(kSmallBytes, usual_bytes());
}

// ---- The keeper's thread ----

void LedgerKeeper::run() {
  pthread_setname_np(pthread_self(), "leat-ledger");
  while (!is_ending_.load(std::memory_order_acquire)) {
    bool is_waiting = false;
    for (std::uint32_t i = 0; i < desks_.size(); ++i) {
      take_wishes(*desks_[i]);
      make_wanted(*desks_[i], i);
      is_waiting = is_waiting || desks_[i]->is_wanted_[0] || desks_[i]->is_wanted_[1];
    }
    if (is_waiting) {
      (void)work_.try_acquire_for(kRetryInterval);
    } else {
      work_.acquire();
    }
  }
  for (const auto& desk : desks_) take_wishes(*desk);
}

void LedgerKeeper::take_wishes(LedgerDesk& desk) {
  while (const auto wish = desk.wishes_.take()) {
    switch (wish->kind) {
      case LedgerDesk::Wish::Kind::kSegment:
        desk.is_wanted_[0] = true;
        break;
      case LedgerDesk::Wish::Kind::kEmergency:
        desk.is_wanted_[1] = true;
        break;
      case LedgerDesk::Wish::Kind::kDone:
        release(desk, wish->segment);
        break;
      case LedgerDesk::Wish::Kind::kRecovered:
        remove_recovered();
        break;
    }
  }
}

void LedgerKeeper::make_wanted(LedgerDesk& desk, std::uint32_t shard) {
  for (const bool is_emergency : {false, true}) {
    bool& is_wanted = desk.is_wanted_[is_emergency ? 1 : 0];
    if (!is_wanted) continue;
    const auto made = make_segment(desk, shard, is_emergency ? small_bytes() : usual_bytes());
    if (!made) continue;  // the shard says that its ledger is unavailable; tried again
    is_wanted = false;
    const bool is_posted = desk.deliveries_.post(
        gateway::message_of(std::make_unique<gateway::SegmentDelivery>(*made, is_emergency)));
    LEAT_CHECK(is_posted);  // no more are wanted than there is room for
    desk.waker_.load(std::memory_order_acquire)->wake();
  }
}

void LedgerKeeper::release(LedgerDesk& desk, const ledger::SegmentFile& segment) {
  ::close(segment.fd);
  std::erase_if(desk.segments_,
                [&](const ledger::SegmentFile& each) { return each.identity == segment.identity; });
}

// ---- After the shards ----

// A table that is not empty tells the next start of requests that are open still.
void LedgerKeeper::close_all() {
  const auto files = folder_->list();
  for (std::uint32_t i = 0; i < desks_.size(); ++i) {
    LedgerDesk& desk = *desks_[i];
    shard::Message message;
    while (desk.deliveries_.take(message)) gateway::discard(message);
    for (const ledger::SegmentFile& segment : desk.segments_) ::close(segment.fd);
    desk.segments_.clear();
    const auto open = ledger::open_requests(desk.open_table_.bytes());
    const bool is_table_empty = open && open->requests.empty() && open->damaged == 0;
    desk.open_table_ = {};
    if (!files) continue;
    for (const LedgerFile& file : *files) {
      if (file.owner.generation != generation_ || file.owner.shard != i) continue;
      if (is_of_no_use(file, is_table_empty)) (void)folder_->remove(file);
    }
  }
}

bool LedgerKeeper::is_of_no_use(const LedgerFile& file, bool is_table_empty) const {
  if (file.kind == LedgerFile::Kind::kOpenTable) return is_table_empty;
  const auto mapped = folder_->map(file);
  return mapped && ledger::is_unused_segment(mapped->bytes());
}

}  // namespace leat::control
