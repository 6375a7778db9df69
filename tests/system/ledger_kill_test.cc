// SPDX-License-Identifier: Apache-2.0
// Goal: over any number of `kill -9`, each request that a process had begun has one record in the
// end, and none that was reported durable is lost or doubled (threats-and-faults.md I1, I2, I5).
// Method: a process of its own writes a real ledger over the real ring - segments, open table, and
// first of all the recovery of those before it - and tells through a pipe what it has begun and
// what was reported durable. It is killed after some such words. In the end one process ends in
// order, and the folder is read.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/rng.h"
#include "control/ledger_command.h"
#include "control/segment_folder.h"
#include "io/uring_io.h"
#include "ledger/ledger.h"
#include "ledger/open_table.h"
#include "ledger/recovery.h"
#include "shard/shard.h"

namespace leat {
namespace {

constexpr int kKills = 100;
constexpr std::uint64_t kSegmentBytes = 64 * 1024;
constexpr std::size_t kSlots = 64;
constexpr std::size_t kOpenMax = 24;

// What the process tells: 16 bytes, which a pipe takes whole.
struct Word {
  enum What : std::uint64_t { kBegun, kDurable, kRefused };
  What what;
  std::uint64_t id;
};

std::string id_text(std::uint64_t id) {
  return "gen-" + std::to_string(id);
}

// The process that is killed. Anything unexpected ends it with a status, which the test sees.
class Victim final : private ledger::SegmentSource {
 public:
  Victim(const std::string& path, int pipe, std::uint64_t seed) : pipe_(pipe), rng_(seed) {
    auto folder = control::SegmentFolder::open(path);
    require(folder.has_value(), 10);
    folder_.emplace(std::move(*folder));
    auto io = io::UringIo::create(
        {.sq_entries = 64, .cq_entries = 256, .buffer_count = 2, .buffer_size = 4096});
    require(io.has_value(), 11);
    io_ = std::move(*io);
    const auto generation = folder_->take_generation();
    require(generation.has_value(), 12);
    owner_.generation = *generation;
    require(folder_->sweep(*generation).has_value(), 27);
    shard_.emplace(*io_, rng_, 0);
    ledger_.emplace(*shard_, static_cast<ledger::SegmentSource&>(*this), ledger::LedgerOptions{});
    auto memory = folder_->create_open_table(owner_, kSlots);
    require(memory.has_value(), 13);
    memory_ = std::move(*memory);
    table_.emplace(memory_.writable(), owner_);
  }

  // `last`: ends in order, once what it found is written down.
  void run(bool last) {
    recover();
    for (std::uint64_t turn = 0; !last; ++turn) {
      while (requests_.size() < kOpenMax && rng_.chance(0.7)) begin();
      for (auto at = requests_.begin(); at != requests_.end();) {
        if (at->is_done) {
          at = requests_.erase(at);
        } else {
          if (!at->is_appended && rng_.chance(0.4)) append(*at);
          ++at;
        }
      }
      run_turn();
    }
    Request end;
    end.victim = this;
    require(ledger_->finish(end) == ledger::Ledger::Appended::kWaiting, 14);
    while (!end.is_done) run_turn();
  }

 private:
  struct Request final : ledger::DurableWaiter {
    Victim* victim = nullptr;
    std::uint64_t id = 0;
    ledger::OpenTable::Slot slot = ledger::OpenTable::kNoSlot;
    bool is_appended = false;
    bool is_done = false;
    void on_durable(bool is_durable) override {
      require(is_durable, 15);
      is_done = true;
      if (id == 0) return;
      victim->tell({Word::kDurable, id});
      if (slot != ledger::OpenTable::kNoSlot) victim->table_->end(slot);
    }
  };

  static void require(bool holds, int status) {
    if (!holds) ::_exit(status);
  }
  void tell(const Word& word) { require(::write(pipe_, &word, sizeof word) == sizeof word, 16); }
  void want_segment() override { wants_segment_ = true; }
  void want_emergency() override { wants_emergency_ = true; }
  void segment_done(const ledger::SegmentFile& file, ledger::SegmentFate fate) override {
    require(fate == ledger::SegmentFate::kSealed, 17);
    ::close(file.fd);
  }
  ledger::SegmentFile make_segment() {
    const auto file = folder_->create_segment(owner_, kSegmentBytes, {});
    require(file.has_value(), 18);
    ++owner_.number;
    return *file;
  }
  void run_turn() {
    if (std::exchange(wants_segment_, false)) ledger_->take_next(make_segment());
    if (std::exchange(wants_emergency_, false)) ledger_->take_emergency(make_segment());
    shard_->run_turn(shard_->now() + milliseconds(1));
  }

  void begin() {
    Request& request = requests_.emplace_back();
    request.victim = this;
    request.id = owner_.generation * 1'000'000 + ++begun_;
    const std::string id = id_text(request.id);
    request.slot = table_->begin({.generation_id = id, .key_id = "key", .reserved = 7});
    require(request.slot != ledger::OpenTable::kNoSlot, 19);
    tell({Word::kBegun, request.id});
  }
  void append(Request& request) {
    const std::string id = id_text(request.id);
    const std::string title(rng_.below(250), 't');
    ledger::UsageRecord record;
    record.generation_id = id;
    record.app_title = title;
    record.charge = 3;
    request.is_appended = true;
    require(ledger_->append(record, &request) == ledger::Ledger::Appended::kWaiting, 20);
  }

  // As a start does: what earlier processes had begun and has no record gets one; then their tables
  // may go.
  void recover() {
    const auto files = folder_->list();
    require(files.has_value(), 21);
    std::vector<control::MappedFile> tables;
    std::vector<control::LedgerFile> table_files;
    std::vector<ledger::OpenRequest> open;
    std::map<std::uint64_t, std::vector<control::MappedFile>> segments;
    for (const control::LedgerFile& file : *files) {
      if (file.owner.generation == owner_.generation) continue;
      auto mapped = folder_->map(file);
      require(mapped.has_value(), 22);
      if (file.kind == control::LedgerFile::Kind::kSegment) {
        segments[file.owner.generation].push_back(std::move(*mapped));
        continue;
      }
      tables.push_back(std::move(*mapped));
      table_files.push_back(file);
      const auto found = ledger::open_requests(tables.back().bytes());
      require(found.has_value() && found->damaged == 0, 23);
      open.insert(open.end(), found->requests.begin(), found->requests.end());
    }
    ledger::Recovery recovery(open);
    for (const auto& [generation, mapped] : segments) {
      std::vector<std::span<const char>> bytes;
      for (const control::MappedFile& file : mapped) bytes.push_back(file.bytes());
      require(ledger::replay(bytes, recovery).is_intact, 24);
    }
    std::deque<Request> written;
    for (const ledger::OpenRequest& request : recovery.remaining()) {
      Request& waiter = written.emplace_back();
      waiter.victim = this;
      const auto appended =
          ledger_->append(ledger::record_of(request, ledger::AmbiguousCharge::kNothing), &waiter);
      require(appended == ledger::Ledger::Appended::kWaiting, 25);
    }
    const auto is_done = [](const Request& each) { return each.is_done; };
    while (!std::all_of(written.begin(), written.end(), is_done)) run_turn();
    for (const control::LedgerFile& file : table_files) {
      require(folder_->remove(file).has_value(), 26);
    }
  }

  int pipe_;
  Rng rng_;
  std::optional<control::SegmentFolder> folder_;
  std::unique_ptr<io::UringIo> io_;
  std::optional<shard::Shard> shard_;
  ledger::SegmentIdentity owner_;
  bool wants_segment_ = false;
  bool wants_emergency_ = false;
  control::MappedFile memory_;
  std::optional<ledger::OpenTable> table_;
  std::optional<ledger::Ledger> ledger_;
  std::list<Request> requests_;
  std::uint64_t begun_ = 0;
};

class LedgerKill : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "ledger-kill-XXXXXX";  // of the current folder: on a disk, if it is
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    path = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(path); }

  // Starts a process, takes its words, kills it after `words` of them; 0: lets it end.
  void live(std::uint64_t words, std::uint64_t seed) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      Victim(path, ends[1], seed).run(words == 0);
      ::_exit(0);
    }
    ::close(ends[1]);
    Word word;
    std::uint64_t count = 0;
    while (::read(ends[0], &word, sizeof word) == sizeof word) {
      (word.what == Word::kBegun ? begun : durable).insert(id_text(word.id));
      if (++count == words) ::kill(child, SIGKILL);
    }
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (words == 0) {
      ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
    } else {
      ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself: " << WEXITSTATUS(status);
    }
  }

  std::string path;
  std::set<std::string> begun;
  std::set<std::string> durable;
};

TEST_F(LedgerKill, EachRequestHasOneRecordInTheEnd) {
  if (const auto io = io::UringIo::create({}); !io && io.error().code == Code::kUnsupported) {
    GTEST_SKIP() << io.error().what;
  }
  const char* told = std::getenv("LEAT_TEST_SEED");
  const std::uint64_t seed = told != nullptr ? std::strtoull(told, nullptr, 10) : 1;
  Rng rng(seed);
  for (int i = 0; i < kKills; ++i) {
    live(1 + rng.below(rng.chance(0.3) ? 5 : 400), rng.next());
    ASSERT_FALSE(HasFatalFailure()) << "after " << i << " kills, seed " << seed;
  }
  live(0, rng.next());
  std::string report;
  EXPECT_EQ(control::verify_ledger(path,
                                   [&](std::string_view text) {
                                     report += text;
                                     return true;
                                   }),
            0)
      << report;
  std::string lines;
  control::export_ledger(
      path, {},
      [&](std::string_view text) {
        lines += text;
        return true;
      },
      [](std::string_view) { return true; });
  std::multiset<std::string> recorded;
  std::size_t ambiguous = 0;
  constexpr std::string_view kId = "\"id\":\"";
  for (std::size_t at = lines.find(kId); at != lines.npos; at = lines.find(kId, at)) {
    at += kId.size();
    recorded.insert(lines.substr(at, lines.find('"', at) - at));
  }
  for (std::size_t at = 0; (at = lines.find("\"ambiguous\":true", at)) != lines.npos; ++at) {
    ++ambiguous;
  }
  for (const std::string& id : begun) EXPECT_EQ(recorded.count(id), 1u) << id;
  for (const std::string& id : durable) EXPECT_EQ(recorded.count(id), 1u) << id;
  EXPECT_GT(durable.size(), 2'000u);
  EXPECT_GT(ambiguous, 200u) << "they were cut off in the middle";
  RecordProperty("begun", static_cast<int>(begun.size()));
  RecordProperty("durable", static_cast<int>(durable.size()));
}

}  // namespace
}  // namespace leat
