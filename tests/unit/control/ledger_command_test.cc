// SPDX-License-Identifier: Apache-2.0
// Goal: who asks whether a ledger is whole gets the truth, and what is exported is what was
// written, to the nano-dollar; what clients wrote into it spoils neither JSON, CSV nor a
// spreadsheet. Method: a folder of its own with segments made as a start makes them and written as
// a ledger does; then with files spoiled or missing.
#include "control/ledger_command.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include "control/command_line.h"
#include "control/record_text.h"
#include "control/segment_folder.h"
#include "ledger/open_table.h"
#include "ledger/replay.h"

namespace leat::control {
namespace {

constexpr std::uint64_t kBytes = 256 * 1024;
constexpr std::int64_t kDay = 86'400'000'000'000;
constexpr std::int64_t kFirst = 1'789'948'800'000'000'000;  // 2026-09-21T00:00:00Z

class LedgerCommand : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "leat-ledger-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    path = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(path); }

  SegmentFolder folder() {
    auto folder = SegmentFolder::open(path);
    EXPECT_TRUE(folder);
    return std::move(*folder);
  }
  // A segment of one process with these records, ended in order.
  void write(std::uint64_t generation, const std::vector<ledger::UsageRecord>& records) {
    SegmentFolder folder = this->folder();
    const ledger::SegmentIdentity identity{.generation = generation};
    const auto file = folder.create_segment(identity, kBytes, {kFirst});
    ASSERT_TRUE(file) << file.error().what;
    ::close(file->fd);
    std::string frames;
    std::uint64_t chain = 0;
    std::uint64_t sequence = 0;
    const auto add = [&](ledger::FrameKind kind, std::string_view payload) {
      std::string frame(ledger::frame_bytes(payload.size()), '\0');
      payload.copy(frame.data() + ledger::kFrameHeaderBytes, payload.size());
      chain = ledger::write_frame({.kind = kind,
                                   .payload_bytes = static_cast<std::uint32_t>(payload.size()),
                                   .durable_bytes = ledger::kSegmentHeaderBytes,
                                   .sequence = sequence},
                                  ledger::segment_seed(identity), chain, frame);
      frames += frame;
    };
    add(ledger::FrameKind::kOpen, std::string(8, '\0'));
    std::vector<char> payload(ledger::kRecordBytesMax);
    for (const auto& record : records) {
      add(ledger::FrameKind::kUsage, {payload.data(), ledger::encode(record, payload)});
      ++sequence;
    }
    add(ledger::FrameKind::kEnd, {});
    std::fstream out(file_of(generation), std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(ledger::kSegmentHeaderBytes);
    out.write(frames.data(), static_cast<std::streamsize>(frames.size()));
  }
  std::filesystem::path file_of(std::uint64_t generation) {
    const auto files = folder().list();
    for (const LedgerFile& file : *files) {
      if (file.owner.generation == generation) return path / file.name;
    }
    return {};
  }
  void spoil(const std::filesystem::path& file, std::streamoff at) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(at);
    const int byte = stream.get();
    stream.seekp(at);
    stream.put(static_cast<char>(byte ^ 4));
  }

  static ledger::UsageRecord record(std::string_view id, std::int64_t day) {
    ledger::UsageRecord record;
    record.generation_id = id;
    record.began = {kFirst + day * kDay};
    record.cost = 1'500;
    record.charge = 2'000'000'001;
    record.tokens.prompt = 17;
    return record;
  }
  int verify() {
    out.clear();
    return verify_ledger(path, printer);
  }
  int run(const LedgerExport& what) {
    out.clear();
    complaints.clear();
    return export_ledger(path, what, printer, [this](std::string_view text) {
      complaints += text;
      return true;
    });
  }
  bool says(std::string_view text) const { return out.find(text) != out.npos; }

  std::filesystem::path path;
  std::string out;
  std::string complaints;
  Printer printer = [this](std::string_view text) {
    out += text;
    return true;
  };
};

TEST_F(LedgerCommand, AWholeLedgerIsSaidToBeWholeWithItsSums) {
  write(1, {record("gen-a", 0), record("gen-b", 1)});
  write(2, {record("gen-c", 2)});
  EXPECT_EQ(verify(), 0) << out;
  EXPECT_TRUE(says("3 records, 0 doubled, 0 unreadable; cost 4500 and charge 6000000003")) << out;
  EXPECT_TRUE(says("process 2 shard 0: 1 entries in 1 segments, intact, ended in order")) << out;
  EXPECT_TRUE(says("sha256 ")) << out;
}

TEST_F(LedgerCommand, DamageAndDoublesAreSaid) {
  write(1, {record("gen-a", 0), record("gen-b", 1)});
  write(2, {record("gen-a", 2)});
  EXPECT_EQ(verify(), 1);
  EXPECT_TRUE(says("3 records, 1 doubled")) << out;
  spoil(file_of(2), ledger::kSegmentHeaderBytes + 100);
  EXPECT_EQ(verify(), 1);
  EXPECT_TRUE(says("FAULT at byte")) << out;
  EXPECT_TRUE(says("SOMETHING IS LOST")) << out;
  spoil(file_of(1), 9);
  EXPECT_EQ(verify(), 1);
  EXPECT_TRUE(says("the header of a ledger segment is damaged")) << out;
}

TEST_F(LedgerCommand, WithoutAFolderThereIsNothingToJudge) {
  EXPECT_EQ(verify_ledger(path / "none", printer), kExitNoInput);
  EXPECT_EQ(verify(), 0) << "an empty one is whole";
}

TEST_F(LedgerCommand, APeriodIsExportedWithItsFirstMomentAndWithoutItsLast) {
  write(1, {record("gen-a", 0), record("gen-b", 1), record("gen-c", 2)});
  EXPECT_EQ(run({.filter = {.from = {kFirst + kDay}, .until = {kFirst + 2 * kDay}}}), 0);
  EXPECT_FALSE(says("gen-a"));
  EXPECT_TRUE(says("\"id\":\"gen-b\""));
  EXPECT_FALSE(says("gen-c"));
  EXPECT_TRUE(says("{\"began\":\"2026-09-22T00:00:00.000Z\"")) << out;
  EXPECT_TRUE(says("\"cost\":0.0000015,")) << out;
  EXPECT_TRUE(says("\"charge\":2.000000001,")) << out;
  EXPECT_TRUE(says("\"prompt_tokens\":17,")) << out;
}

TEST_F(LedgerCommand, WhatCanBeReadOfADamagedOneIsExportedWithAComplaint) {
  write(1, {record("gen-a", 0), record("gen-b", 1)});
  write(2, {record("gen-c", 0)});
  spoil(file_of(1), ledger::kSegmentHeaderBytes + 64 + 200);
  EXPECT_EQ(run({}), 1);
  EXPECT_TRUE(says("gen-c"));
  EXPECT_NE(complaints.find("something is lost"), complaints.npos);
}

TEST_F(LedgerCommand, WhatClientsWroteSpoilsNoFormat) {
  ledger::UsageRecord nasty = record("gen-a", 0);
  nasty.app_title = "=HYPERLINK(\"x\")\r\n,";
  nasty.session_id = "a\"b\n\xff";
  nasty.app_referer = "plain";
  write(1, {nasty});
  EXPECT_EQ(run({}), 0);
  EXPECT_TRUE(says(R"("session_id":"a\"b\n)")) << out;
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1) << "one line, whatever is in it";
  EXPECT_EQ(run({.format = LedgerExport::Format::kCsv}), 0);
  EXPECT_TRUE(says("\"'=HYPERLINK(\"\"x\"\")\r\n,\"")) << out;
  EXPECT_TRUE(says(",plain,")) << out;
}

TEST_F(LedgerCommand, CsvHasAsManyColumnsAsNames) {
  write(1, {record("gen-a", 0)});
  EXPECT_EQ(run({.format = LedgerExport::Format::kCsv}), 0);
  const auto line_end = out.find('\n');
  const auto commas = [&](std::size_t begin, std::size_t end) {
    return std::count(out.begin() + static_cast<std::ptrdiff_t>(begin),
                      out.begin() + static_cast<std::ptrdiff_t>(end), ',');
  };
  EXPECT_EQ(commas(0, line_end), commas(line_end, out.size()));
  EXPECT_TRUE(out.starts_with("began,id,")) << out;
}

TEST_F(LedgerCommand, APrinterThatFailsEndsIt) {
  write(1, {record("gen-a", 0)});
  EXPECT_NE(
      export_ledger(
          path, {}, [](std::string_view) { return false; }, [](std::string_view) { return true; }),
      0);
}

TEST_F(LedgerCommand, AGenerationIsTakenOnce) {
  SegmentFolder one = folder();
  SegmentFolder two = folder();
  EXPECT_EQ(*one.take_generation(), 1u);
  EXPECT_EQ(*two.take_generation(), 2u);
  EXPECT_EQ(*one.take_generation(), 3u);
  write(9, {});
  EXPECT_EQ(*one.take_generation(), 10u) << "what wrote segments had its number, too";
}

TEST_F(LedgerCommand, ASegmentIsMadeOfItsHeaderAndZeros) {
  SegmentFolder folder = this->folder();
  const ledger::SegmentIdentity identity{.generation = 3, .shard = 2, .number = 11};
  const auto file = folder.create_segment(identity, 2 * 1024 * 1024 + 4096, {5});
  ASSERT_TRUE(file) << file.error().what;
  ::close(file->fd);
  EXPECT_FALSE(folder.create_segment(identity, kBytes, {5})) << "never over one that is there";
  const auto files = folder.list();
  ASSERT_EQ(files->size(), 1u);
  EXPECT_EQ(files->front().owner, identity);
  const auto mapped = folder.map(files->front());
  const auto bytes = mapped->bytes();
  EXPECT_EQ(bytes.size(), 2u * 1024 * 1024 + 4096);
  EXPECT_EQ(ledger::read_segment_header(bytes)->created.unix_ns, 5);
  EXPECT_TRUE(std::all_of(bytes.begin() + ledger::kSegmentHeaderBytes, bytes.end(),
                          [](char c) { return c == 0; }));
  EXPECT_TRUE(folder.remove(files->front()));
  EXPECT_TRUE(folder.list()->empty());
}

TEST_F(LedgerCommand, AnOldSegmentBecomesANewOneOfZeros) {
  write(1, {record("gen-a", 0)});
  SegmentFolder folder = this->folder();
  const ledger::SegmentIdentity identity{.generation = 2, .shard = 1, .number = 5};
  const auto old = folder.list()->front();
  const auto file = folder.recycle_segment(old, identity, kBytes / 2, {6});
  ASSERT_TRUE(file) << file.error().what;
  ::close(file->fd);
  const auto files = folder.list();
  ASSERT_EQ(files->size(), 1u) << "the old one is gone";
  EXPECT_EQ(files->front().owner, identity);
  const auto mapped = folder.map(files->front());
  const auto bytes = mapped->bytes();
  EXPECT_EQ(bytes.size(), kBytes / 2);
  EXPECT_EQ(ledger::read_segment_header(bytes)->identity, identity);
  EXPECT_TRUE(std::all_of(bytes.begin() + ledger::kSegmentHeaderBytes, bytes.end(),
                          [](char c) { return c == 0; }));
}

TEST_F(LedgerCommand, WhatAKillLeftHalfMadeIsNoSegmentAndCanBeSwept) {
  const std::string segment = "0000000000000001-0000-00000000.segment.making";
  const std::string ours = "0000000000000002-0000-00000000.segment.making";
  std::ofstream(path / segment) << "half";
  std::ofstream(path / ours) << "half";
  EXPECT_EQ(verify(), 0) << out;
  EXPECT_TRUE(folder().list()->empty());
  EXPECT_TRUE(folder().sweep(2));
  EXPECT_FALSE(std::filesystem::exists(path / segment));
  EXPECT_TRUE(std::filesystem::exists(path / ours));
}

TEST_F(LedgerCommand, AnOpenTableOutlivesWhoMadeIt) {
  {
    SegmentFolder folder = this->folder();
    auto memory = folder.create_open_table({.generation = 4, .shard = 1}, 8);
    ASSERT_TRUE(memory) << memory.error().what;
    ledger::OpenTable table(memory->writable(), {.generation = 4, .shard = 1});
    ASSERT_NE(table.begin({.generation_id = "gen-open"}), ledger::OpenTable::kNoSlot);
  }
  SegmentFolder folder = this->folder();
  const auto files = folder.list();
  ASSERT_EQ(files->size(), 1u);
  EXPECT_EQ(files->front().kind, LedgerFile::Kind::kOpenTable);
  const auto mapped = folder.map(files->front());
  const auto open = ledger::open_requests(mapped->bytes());
  ASSERT_TRUE(open);
  ASSERT_EQ(open->requests.size(), 1u);
  EXPECT_EQ(open->requests[0].generation_id, "gen-open");
}

TEST(ParseMoment, DaysAndSecondsInUtc) {
  WallTime moment{};
  EXPECT_TRUE(parse_moment("2026-09-21", moment));
  EXPECT_EQ(moment.unix_ns, kFirst);
  EXPECT_TRUE(parse_moment("2026-09-21T00:00:07Z", moment));
  EXPECT_EQ(moment.unix_ns, kFirst + 7'000'000'000);
  EXPECT_EQ(rfc3339(moment), "2026-09-21T00:00:07.000Z");
  for (const char* text : {"", "2026-09", "2026-02-30", "2026-09-21T00:00:07", "yesterday"}) {
    EXPECT_FALSE(parse_moment(text, moment)) << text;
  }
}

}  // namespace
}  // namespace leat::control
