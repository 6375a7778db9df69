// SPDX-License-Identifier: Apache-2.0
#include "simulation/sim_keeping.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <span>
#include <utility>

#include "base/check.h"
#include "gateway/owned_message.h"

namespace leat::sim {

// One shard's way to its segments.
class SimKeeping::Desk final : public gateway::LedgerKeeping {
 public:
  Desk(SimKeeping& keeping, const ledger::SegmentIdentity& owner)
      : owner(owner),
        maker(keeping.world_,
              {.owner = owner,
               .segment_bytes = keeping.options_.segment_bytes,
               .disk_is_full = keeping.options_.disk_is_full},
              [this](bool is_emergency) { deliver(is_emergency); }),
        keeping_(keeping) {}

  // Those that the shard begins with were made before it asked.
  void want_segment() override {
    if (!std::exchange(has_first_segment_, false)) maker.ask(false);
  }
  void want_emergency() override {
    if (!std::exchange(has_first_emergency_, false)) maker.ask(true);
  }
  void segment_done(const ledger::SegmentFile&, ledger::SegmentFate) override {}
  void recovered_is_durable() override {
    if (!is_over) keeping_.recovered_is_durable();
  }

  const ledger::SegmentIdentity owner;
  SegmentMaker maker;
  gateway::SegmentDelivery first;
  gateway::SegmentDelivery emergency;
  Table* table = nullptr;
  bool is_over = false;  // its process was killed
  shard::Mailbox* mailbox = nullptr;
  io::Waker* waker = nullptr;

 private:
  void deliver(bool is_emergency) {
    auto made = std::make_unique<gateway::SegmentDelivery>(maker.make(), is_emergency);
    LEAT_CHECK(mailbox->post(gateway::message_of(std::move(made))));
    waker->wake();
  }

  SimKeeping& keeping_;
  bool has_first_segment_ = true;
  bool has_first_emergency_ = true;
};

SimKeeping::SimKeeping(World& world, const SimKeepingOptions& options)
    : world_(world), options_(options) {}

SimKeeping::~SimKeeping() = default;

// ---- The life of a process ---------------------------------------------------------------------

void SimKeeping::start(std::uint32_t shards) {
  ++generation_;
  std::vector<ledger::OpenRequests> tables;
  for (const auto& table : tables_) {
    if (table->is_removed) continue;
    auto requests = ledger::open_requests(table->memory);
    if (!requests || requests->damaged != 0) {
      world_.violation("an open table is damaged");
      continue;
    }
    requests->owner = table->owner;
    tables.push_back(std::move(*requests));
  }
  std::vector<ledger::OwnedSegment> segments;
  std::vector<int> files;
  for (const auto& desk : desks_) {
    for (const int fd : desk->maker.files()) {
      if (!world_.disk().has(fd)) continue;
      segments.push_back({desk->owner, world_.disk().bytes(fd)});
      files.push_back(fd);
    }
  }
  recovered_ = ledger::unsettled_requests(tables, segments);
  recovered_total_ += recovered_.size();
  for (const std::size_t index : ledger::unneeded_segments(segments)) {
    world_.disk().remove(files[index]);
  }
  recovering_since_ = recovered_.empty() ? kNever : ended_at_;
  if (recovered_.empty()) {
    for (const auto& table : tables_) table->is_removed = true;
  }
  first_desk_ = desks_.size();
  for (std::uint32_t i = 0; i < shards; ++i) make_desk(i);
}

void SimKeeping::make_desk(std::uint32_t shard) {
  const ledger::SegmentIdentity owner{.generation = generation_, .shard = shard};
  tables_.push_back(std::make_unique<Table>());
  Table& table = *tables_.back();
  table.owner = owner;
  table.memory.assign(ledger::OpenTable::bytes_for(options_.open_requests_max), '\0');
  desks_.push_back(std::make_unique<Desk>(*this, owner));
  Desk& desk = *desks_.back();
  desk.table = &table;
  desk.first.segment = desk.maker.make();
  desk.emergency = {.segment = desk.maker.make(), .is_emergency = true};
}

gateway::LedgerParts SimKeeping::parts(std::uint32_t shard) {
  Desk& desk = *desks_[first_desk_ + shard];
  gateway::LedgerParts parts;
  parts.keeping = &desk;
  parts.options.mode = options_.mode;
  parts.owner = desk.owner;
  parts.open_table = desk.table->memory;
  parts.next = desk.first;
  parts.emergency = desk.emergency;
  parts.ambiguous_charge = options_.ambiguous_charge;
  if (shard == 0) parts.recovered = recovered_;
  return parts;
}

void SimKeeping::attach(std::uint32_t shard, shard::Mailbox& mailbox, io::Waker& waker) {
  Desk& desk = *desks_[first_desk_ + shard];
  desk.mailbox = &mailbox;
  desk.waker = &waker;
}

void SimKeeping::kill() {
  for (const auto& desk : desks_) {
    desk->maker.stop();
    desk->is_over = true;
  }
  world_.disk().crash();
  // One that was killed before it had recovered leaves the older one's requests as old as they are.
  if (!is_recovering()) ended_at_ = world_.now();
}

void SimKeeping::set_disk_full(bool is_full) {
  was_always_sound_ = was_always_sound_ && !is_full;
  for (std::size_t i = first_desk_; i < desks_.size(); ++i) {
    desks_[i]->maker.gives_segments = desks_[i]->maker.gives_emergencies = !is_full;
  }
}

void SimKeeping::set_disk_dead(bool is_dead) {
  is_dead_ = is_dead;
  world_.disk().fail_all = is_dead ? ENOSPC : 0;
  set_disk_full(is_dead);
}

// What those records were made of is needed no more.
void SimKeeping::recovered_is_durable() {
  LEAT_CHECK(is_recovering());
  recovery_time_max_ = std::max(recovery_time_max_, world_.now() - recovering_since_);
  recovering_since_ = kNever;
  for (const auto& table : tables_) {
    if (table->owner.generation != generation_) table->is_removed = true;
  }
}

// ---- What is in the files ----------------------------------------------------------------------

void SimKeeping::read(ledger::EntryVisitor& visitor) {
  for (const auto& desk : desks_) {
    std::vector<std::span<const char>> files;
    for (const int fd : desk->maker.files()) {
      if (world_.disk().has(fd)) files.emplace_back(world_.disk().bytes(fd));
    }
    const ledger::ReplayReport report = ledger::replay(files, visitor);
    for (const ledger::SegmentReport& segment : report.segments) {
      if (segment.fault != nullptr) world_.violation(std::string("a segment: ") + segment.fault);
    }
  }
}

std::size_t SimKeeping::open_count() const {
  std::size_t count = 0;
  for (const auto& table : tables_) {
    if (table->is_removed) continue;
    const auto requests = ledger::open_requests(table->memory);
    count += requests ? requests->requests.size() : 0;
  }
  return count;
}

}  // namespace leat::sim
