// SPDX-License-Identifier: Apache-2.0
// Goal: who asks leat's commands about a ledger gets what its records say, with the status that a
// script goes by. Method: a folder as gateways leave it, the real program, what it prints.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>

#include "../unit/control/ledger_files.h"

namespace leat::control {
namespace {

std::string program;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kNovember = 1'793'491'200 * kSecond;  // 2026-11-01T00:00:00Z
constexpr std::int64_t kDay = 86'400 * kSecond;

struct Outcome {
  int status = -1;
  std::string output;
};

// What it writes to standard error is not asked for.
Outcome leat(const std::string& arguments) {
  Outcome outcome;
  std::FILE* pipe = ::popen((program + " " + arguments + " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return outcome;
  std::array<char, 4'096> buffer;
  while (const std::size_t size = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    outcome.output.append(buffer.data(), size);
  }
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) outcome.status = WEXITSTATUS(status);
  return outcome;
}

ledger::UsageRecord record(std::string_view id, std::int64_t began, std::int64_t charge) {
  ledger::UsageRecord record;
  record.generation_id = id;
  record.key_id = "#17";
  record.organisation_id = "#2";
  record.model_served = "some/model";
  record.provider = "one";
  record.began = {began};
  record.charge = charge;
  return record;
}

class LedgerCommands : public testing::Test {
 protected:
  LedgerCommands() {
    ledger::UsageRecord others = record("gen-d", kNovember, 1'000'000);
    others.organisation_id = "#3";
    others.key_id = "first";
    files.append({record("gen-a", kNovember - 1, 1), record("gen-b", kNovember, 10)});
    files.append({record("gen-c", kNovember + 29 * kDay, 100), others}, 2, 1);
    files.append({record("gen-e", kNovember + 30 * kDay, 1'000)}, 3);
    folder = files.path.string();
  }
  static bool says(const Outcome& outcome, std::string_view text) {
    return outcome.output.find(text) != outcome.output.npos;
  }
  LedgerFiles files;
  std::string folder;
};

TEST_F(LedgerCommands, ExportOfAPeriodOfAnOrganisationAndOfAKey) {
  const std::string period = "ledger export " + folder + " --from 2026-11-01 --to 2026-12-01";
  Outcome done = leat(period);
  EXPECT_EQ(done.status, 0);
  for (const char* id : {"gen-b", "gen-c", "gen-d"}) EXPECT_TRUE(says(done, id)) << id;
  EXPECT_FALSE(says(done, "gen-a") || says(done, "gen-e"));
  done = leat(period + " --organisation 2 --format csv");
  EXPECT_TRUE(says(done, "gen-b") && says(done, "gen-c") && !says(done, "gen-d"));
  done = leat(period + " --key first");
  EXPECT_TRUE(!says(done, "gen-b") && says(done, "gen-d"));
}

TEST_F(LedgerCommands, AStatementOfAMonth) {
  const std::string command = "ledger statement " + folder + " --organisation 2 --month 2026-11";
  Outcome done = leat(command);
  EXPECT_EQ(done.status, 0);
  EXPECT_TRUE(says(done, R"("total":{"requests":2,)")) << done.output;
  EXPECT_TRUE(says(done, R"("charge":0.00000011,)")) << done.output;
  EXPECT_TRUE(says(done, R"({"day":"2026-11-01","requests":1,)")) << done.output;
  EXPECT_TRUE(says(done, R"({"day":"2026-11-30","requests":1,)")) << done.output;
  EXPECT_TRUE(says(done, R"("by_key":[{"key":"#17","requests":2,)")) << done.output;
  done = leat(command + " --format csv");
  EXPECT_TRUE(says(done, "\r\ntotal,,2,")) << done.output;
  done = leat(command + " --format html");
  EXPECT_TRUE(says(done, "<td>0.00000011</td>")) << done.output;
}

TEST_F(LedgerCommands, UsageByWhateverIsAsked) {
  Outcome done = leat("usage " + folder + " --by key --json");
  EXPECT_EQ(done.status, 0);
  EXPECT_TRUE(says(done, R"({"key":"first","requests":1,)")) << done.output;
  EXPECT_TRUE(says(done, R"({"key":"#17","requests":4,)")) << done.output;
  done = leat("usage " + folder + " --organisation 3");
  EXPECT_TRUE(says(done, "some/model")) << done.output;
  EXPECT_TRUE(says(done, "total")) << done.output;
}

TEST_F(LedgerCommands, RebuildSaysWhetherTheProjectionWasRight) {
  EXPECT_EQ(leat("ledger rebuild " + folder).status, 0);
  Outcome done = leat("ledger rebuild " + folder + " --time");
  EXPECT_EQ(done.status, 0);
  EXPECT_TRUE(says(done,
                   "5 records, 0 unreadable, 0 missing; $0.001001111 charged; the one before "
                   "said the same"))
      << done.output;
  EXPECT_TRUE(says(done, " s\n")) << done.output;
  const auto made = files.path / "projection";
  LedgerFiles other;
  other.append({record("gen-x", kNovember, 1)});
  ASSERT_EQ(leat("ledger rebuild " + other.path.string()).status, 0);
  // Of another ledger: the segments do not go on from it.
  std::filesystem::copy_file(other.path / "projection", made,
                             std::filesystem::copy_options::overwrite_existing);
  done = leat("ledger rebuild " + folder);
  EXPECT_EQ(done.status, 0);
  EXPECT_TRUE(says(done, "none that fitted")) << done.output;
}

TEST_F(LedgerCommands, WhatIsLostIsSaidByTheStatus) {
  EXPECT_EQ(leat("ledger verify " + folder).status, 0);
  const auto file = files.file(1, 0, 0);
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(ledger::kSegmentHeaderBytes + 100);
  stream.put('!');
  stream.close();
  for (const std::string& command :
       {"ledger verify " + folder, "ledger export " + folder, "usage " + folder,
        "ledger statement " + folder + " --organisation 2 --month 2026-11"}) {
    const Outcome done = leat(command);
    EXPECT_EQ(done.status, 1) << command;
    EXPECT_FALSE(done.output.empty()) << command << ": what can be read is printed";
  }
  for (const char* command : {"ledger verify ", "ledger rebuild ", "usage "}) {
    EXPECT_EQ(leat(std::string(command) + folder + "/none").status, 66) << command;
  }
}

}  // namespace
}  // namespace leat::control

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc != 2) return 64;
  leat::control::program = argv[1];
  return RUN_ALL_TESTS();
}
