// SPDX-License-Identifier: Apache-2.0
// LedgerFiles: a folder with segments as gateways leave them, for tests of those who read it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "../ledger/segment_image.h"
#include "control/segment_folder.h"
#include "ledger/record.h"

namespace leat::control {

class LedgerFiles {
 public:
  LedgerFiles() {
    std::string pattern = std::filesystem::temp_directory_path() / "leat-ledger-XXXXXX";
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    path = pattern;
  }
  LedgerFiles(const LedgerFiles&) = delete;
  LedgerFiles& operator=(const LedgerFiles&) = delete;
  ~LedgerFiles() { std::filesystem::remove_all(path); }

  // The segment that this shard of this process writes to now.
  ledger::SegmentImage& image(std::uint64_t generation = 1, std::uint32_t shard = 0) {
    const auto [at, is_new] = open_.try_emplace({generation, shard});
    if (is_new) begin(at->second, {.generation = generation, .shard = shard, .number = 0}, 0);
    return at->second.image;
  }
  // Durable.
  void append_one(const ledger::UsageRecord& record, std::uint64_t generation = 1,
                  std::uint32_t shard = 0) {
    std::vector<char> payload(ledger::kRecordBytesMax);
    const std::size_t size = ledger::encode(record, payload);
    image(generation, shard).entry(std::string(payload.data(), size)).commit();
    write(generation, shard);
  }
  // Of records without attempts: of others, gcc 12.2 with -ftrivial-auto-var-init=zero spoils the
  // copies that a braced list makes.
  void append(const std::vector<ledger::UsageRecord>& records, std::uint64_t generation = 1,
              std::uint32_t shard = 0) {
    for (const ledger::UsageRecord& record : records) append_one(record, generation, shard);
  }
  void seal(std::uint64_t generation = 1, std::uint32_t shard = 0) {
    Open& open = open_.at({generation, shard});
    open.image.seal();
    write(generation, shard);
    const std::uint64_t sequence = open.image.sequence;
    const std::uint64_t chain = open.image.chain;
    ++open.identity.number;
    begin(open, open.identity, open.identity.number, sequence, chain);
    write(generation, shard);
  }
  void end(std::uint64_t generation = 1, std::uint32_t shard = 0) {
    image(generation, shard).seal(ledger::FrameKind::kEnd);
    write(generation, shard);
  }
  void write(std::uint64_t generation, std::uint32_t shard) {
    const Open& open = open_.at({generation, shard});
    std::ofstream out(path / segment_file(open.identity).name, std::ios::binary);
    out.write(open.image.bytes.data(), static_cast<std::streamsize>(open.image.bytes.size()));
  }
  std::filesystem::path file(std::uint64_t generation, std::uint32_t shard,
                             std::uint64_t number) const {
    return path / segment_file({.generation = generation, .shard = shard, .number = number}).name;
  }
  // As if it had been written to last then.
  void set_written(const std::filesystem::path& file, std::int64_t unix_seconds) const {
    using Clock = std::chrono::file_clock;
    std::filesystem::last_write_time(
        file, Clock::from_sys(std::chrono::sys_seconds(std::chrono::seconds(unix_seconds))));
  }

  std::filesystem::path path;

 private:
  struct Open {
    ledger::SegmentIdentity identity;
    ledger::SegmentImage image;
  };
  static void begin(Open& open, const ledger::SegmentIdentity& identity, std::uint64_t ordinal,
                    std::uint64_t sequence = 0, std::uint64_t chain = 0) {
    open.identity = identity;
    open.image = ledger::SegmentImage(identity, ordinal, sequence, chain, std::uint64_t{1} << 18);
  }
  std::map<std::pair<std::uint64_t, std::uint32_t>, Open> open_;
};

}  // namespace leat::control
