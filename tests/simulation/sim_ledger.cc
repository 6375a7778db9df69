// SPDX-License-Identifier: Apache-2.0
#include "simulation/sim_ledger.h"

#include <algorithm>
#include <span>

namespace leat::sim {

void LedgerLife::Request::on_durable(bool is_durable) {
  (is_durable ? life->history_.acknowledged : life->history_.refused).insert(id);
  life->waits_.push_back(life->world_.now() - began);
}

LedgerLife::LedgerLife(World& world, LedgerHistory& history, const LedgerLifeOptions& options)
    : world_(world),
      history_(history),
      options_(options),
      rng_(world.rng().next()),
      io_(world, io::Address::v4(10, 0, 0, 1, 0)),
      maker_(world,
             {.owner = {.generation = options.generation},
              .segment_bytes = options.segment_bytes,
              .disk_is_full = options.disk_is_full},
             [this](bool is_emergency) { on_segment(is_emergency); }),
      shard_(std::make_unique<shard::Shard>(io_, rng_, 0)),
      ledger_(std::make_unique<ledger::Ledger>(*shard_, static_cast<ledger::SegmentSource&>(*this),
                                               ledger::LedgerOptions{.mode = options.mode})) {
  end_.life = this;
  io_.set_run_turn([this] { run_turn(); });
  io_.start();
  for (std::size_t i = 0; i < options.records; ++i) {
    // Some at the same moment.
    const Duration when{rng_.between(0, options.span.ns) / 500'000 * 500'000};
    world_.schedule(world_.now() + when, EventKind::kActor, event_callback<&LedgerLife::on_request>,
                    this, i);
  }
}

LedgerLife::~LedgerLife() {
  maker_.stop();
  io_.stop();
}

// ---- Requests ----------------------------------------------------------------------------------

void LedgerLife::on_request(std::uint64_t number) {
  if (io_.is_stopped()) return;
  due_records_.emplace_back(
      "gen-" + std::to_string(options_.generation) + "-" + std::to_string(number), world_.now());
  io_.waker().wake();
}

std::size_t LedgerLife::waiting() const {
  return static_cast<std::size_t>(std::count_if(
      requests_.begin(), requests_.end(), [](const Request& each) { return each.is_linked(); }));
}

void LedgerLife::append(const std::string& id, Instant began) {
  // Sizes of every kind: what fills a sector, a block, more than one.
  const std::string title(rng_.below(257), 't');
  ledger::UsageRecord record;
  record.generation_id = id;
  record.app_title = title;
  const std::size_t attempts = rng_.chance(0.1) ? rng_.below(9) : 1;
  for (std::size_t i = 0; i < attempts; ++i) record.add_attempt({.endpoint = title});
  Request& request = requests_.emplace_back();
  request.life = this;
  request.id = id;
  request.began = began;
  history_.appended.insert(id);
  const auto appended = ledger_->append(record, &request);
  if (appended == ledger::Ledger::Appended::kNotDurable) history_.refused.insert(id);
  if (appended == ledger::Ledger::Appended::kDropped) {
    history_.refused.insert(id);
    history_.appended.erase(id);
  }
  // A client that does not wait for the end.
  if (appended == ledger::Ledger::Appended::kWaiting && rng_.chance(0.05)) request.unlink();
}

// In the middle of the turn, as requests end.
void LedgerLife::run_turn() {
  if (!due_segments_.empty() || !due_records_.empty()) shard_->defer(*this);
  shard_->run_turn();
}

void LedgerLife::run_deferred() {
  if (ledger_ == nullptr) return;
  for (const bool is_emergency : std::exchange(due_segments_, {})) {
    if (is_emergency) {
      ledger_->take_emergency(make_segment());
      ++emergencies_made_;
    } else {
      ledger_->take_next(make_segment());
    }
  }
  for (const auto& [id, began] : std::exchange(due_records_, {})) {
    append(id, began);
    ++begun_;
  }
  if (options_.finishes && begun_ == options_.records && !has_finish_begun_) {
    has_finish_begun_ = true;
    ledger_->finish(end_);
  }
}

// ---- Segments ----------------------------------------------------------------------------------

ledger::SegmentFile LedgerLife::make_segment() {
  const ledger::SegmentFile made = maker_.make();
  history_.files.push_back(made.fd);
  return made;
}

void LedgerLife::segment_done(const ledger::SegmentFile&, ledger::SegmentFate fate) {
  ++fates_[static_cast<std::size_t>(fate)];
}

void LedgerLife::on_segment(bool is_emergency) {
  if (io_.is_stopped()) return;
  due_segments_.push_back(is_emergency);
  io_.waker().wake();
}

// ---- Afterwards --------------------------------------------------------------------------------

Recovered recover(World& world, const LedgerHistory& history, std::uint64_t generation) {
  struct Reader final : ledger::EntryVisitor {
    std::vector<std::string> ids;
    void on_entry(const ledger::SegmentHeader&, const ledger::Entry& entry) override {
      const auto record = ledger::decode(entry.payload);
      ids.emplace_back(record ? record->generation_id : "not a record");
    }
  };
  std::vector<std::span<const char>> files;
  for (const int fd : history.files) {
    const std::string& bytes = world.disk().bytes(fd);
    const auto header = ledger::read_segment_header(bytes);
    if (!header || header->identity.generation == generation) files.emplace_back(bytes);
  }
  Reader reader;
  Recovered recovered;
  recovered.report = ledger::replay(files, reader);
  recovered.ids = std::move(reader.ids);
  return recovered;
}

}  // namespace leat::sim
