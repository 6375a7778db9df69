// SPDX-License-Identifier: Apache-2.0
// Goal: the promised commands are understood, and wrong ones end with status 64 and start nothing.
// Method: argument lists and what they come out as.
#include "control/command_line.h"

#include <gtest/gtest.h>

#include <vector>

#include "control/check_report.h"
#include "sample_config.h"

namespace leat::control {
namespace {

Command parsed(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "leat");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

TEST(CommandLine, NoArgumentsServeTheDefaults) {
  const Command command = parsed({});
  EXPECT_EQ(command.kind, Command::Kind::kServe);
  EXPECT_EQ(command.config_file, "");
}

TEST(CommandLine, KnowsItsCommands) {
  EXPECT_EQ(parsed({"serve"}).kind, Command::Kind::kServe);
  const Command serve = parsed({"serve", "--config", "a.toml"});
  EXPECT_EQ(serve.kind, Command::Kind::kServe);
  EXPECT_EQ(serve.config_file, "a.toml");
  const Command check = parsed({"check", "--config", "b.toml"});
  EXPECT_EQ(check.kind, Command::Kind::kCheck);
  EXPECT_EQ(check.config_file, "b.toml");
  EXPECT_EQ(parsed({"doctor"}).kind, Command::Kind::kDoctor);
  const Command doctor = parsed({"doctor", "-c", "c.toml"});
  EXPECT_EQ(doctor.kind, Command::Kind::kDoctor);
  EXPECT_EQ(doctor.config_file, "c.toml");
}

TEST(CommandLine, KnowsWhatToDoWithCatalogues) {
  const Command import = parsed({"catalogue", "import", "a.json", "b.json", "--out", "c.toml"});
  EXPECT_EQ(import.kind, Command::Kind::kCatalogueImport);
  EXPECT_EQ(import.files, (std::vector<std::string>{"a.json", "b.json"}));
  EXPECT_EQ(import.out_file, "c.toml");
  const Command diff = parsed({"catalogue", "diff", "a", "b"});
  EXPECT_EQ(diff.kind, Command::Kind::kCatalogueDiff);
  EXPECT_EQ(diff.files, (std::vector<std::string>{"a", "b"}));
  const Command show = parsed({"catalogue", "show", "a"});
  EXPECT_EQ(show.kind, Command::Kind::kCatalogueShow);
  EXPECT_EQ(show.text, "/models");
  EXPECT_EQ(parsed({"catalogue", "show", "a", "/providers"}).text, "/providers");
  for (const std::vector<const char*>& wrong : {std::vector<const char*>{"catalogue"},
                                                {"catalogue", "import"},
                                                {"catalogue", "diff", "a"},
                                                {"catalogue", "diff", "a", "b", "c"},
                                                {"catalogue", "show"}}) {
    EXPECT_EQ(parsed(wrong).status, kExitUsage) << wrong.size();
  }
}

TEST(CommandLine, KnowsWhatToExplain) {
  const Command plain = parsed({"explain", "--config", "a.toml", "r.json"});
  EXPECT_EQ(plain.kind, Command::Kind::kExplain);
  EXPECT_EQ(plain.config_file, "a.toml");
  EXPECT_EQ(plain.files, std::vector<std::string>{"r.json"});
  EXPECT_EQ(plain.key_name, "");
  EXPECT_FALSE(plain.as_json);
  const Command full = parsed({"explain", "-c", "a.toml", "--key", "dev", "--json", "-"});
  EXPECT_EQ(full.files, std::vector<std::string>{"-"});
  EXPECT_EQ(full.key_name, "dev");
  EXPECT_TRUE(full.as_json);
  for (const std::vector<const char*>& wrong : {std::vector<const char*>{"explain"},
                                                {"explain", "r.json"},
                                                {"explain", "--config", "a.toml"},
                                                {"explain", "--config", "a.toml", "r", "s"}}) {
    EXPECT_EQ(parsed(wrong).status, kExitUsage) << wrong.size();
  }
}

TEST(CommandLine, KnowsHowToFindARunningLeat) {
  const Command reload = parsed({"reload", "--config", "a.toml"});
  EXPECT_EQ(reload.kind, Command::Kind::kReload);
  EXPECT_EQ(reload.reload.place.config_file, "a.toml");
  EXPECT_FALSE(reload.reload.is_dry_run);
  const Command diff = parsed({"diff", "--socket", "s"});
  EXPECT_EQ(diff.kind, Command::Kind::kReload);
  EXPECT_EQ(diff.reload.place.socket, "s");
  EXPECT_TRUE(diff.reload.is_dry_run);
  const Command files = parsed({"diff", "-c", "new.toml", "--against", "old.toml"});
  EXPECT_EQ(files.reload.place.config_file, "new.toml");
  EXPECT_EQ(files.reload.against_file, "old.toml");
  EXPECT_EQ(parsed({"reload", "--url", "http://[::1]:1"}).reload.place.url, "http://[::1]:1");
  const Command top = parsed({"top", "--admin", "http://127.0.0.1:1", "--once"});
  EXPECT_EQ(top.kind, Command::Kind::kTop);
  EXPECT_EQ(top.top.place.url, "http://127.0.0.1:1");
  EXPECT_TRUE(top.top.once);
  for (const std::vector<const char*>& wrong :
       {std::vector<const char*>{"reload"},
        {"diff"},
        {"diff", "--against", "old.toml"},
        {"diff", "--socket", "s", "--against", "old.toml"},
        {"reload", "--socket", "s", "--config", "a.toml"},
        {"reload", "--config", "a.toml", "--against", "old.toml"}}) {
    EXPECT_EQ(parsed(wrong).status, kExitUsage);
  }
}

TEST(CommandLine, KnowsWhatToDoWithALedger) {
  const Command verify = parsed({"ledger", "verify", "folder"});
  EXPECT_EQ(verify.kind, Command::Kind::kLedgerVerify);
  EXPECT_EQ(verify.files, std::vector<std::string>{"folder"});
  const Command dump = parsed({"ledger", "dump", "folder"});
  EXPECT_EQ(dump.kind, Command::Kind::kLedgerExport);
  EXPECT_EQ(dump.ledger_export.format, LedgerExport::Format::kJsonLines);
  EXPECT_EQ(dump.ledger_export.filter.from.unix_ns, INT64_MIN);
  EXPECT_EQ(dump.ledger_export.filter.until.unix_ns, INT64_MAX);
  const Command period = parsed({"ledger", "export", "folder", "--format", "csv", "--from",
                                 "2026-09-21", "--until", "2026-09-22T00:00:00Z"});
  EXPECT_EQ(period.kind, Command::Kind::kLedgerExport);
  EXPECT_EQ(period.files, std::vector<std::string>{"folder"});
  EXPECT_EQ(period.ledger_export.format, LedgerExport::Format::kCsv);
  EXPECT_EQ(period.ledger_export.filter.from.unix_seconds(), 1'789'948'800);
  EXPECT_EQ(period.ledger_export.filter.until.unix_seconds(), 1'789'948'800 + 86'400);
  const Command some = parsed({"ledger", "export", "folder", "--to", "2026-09-22", "--key", "17",
                               "--organisation", "acme"});
  EXPECT_EQ(some.ledger_export.filter.key, "#17") << "as records name it";
  EXPECT_EQ(some.ledger_export.filter.organisation, "acme");
  EXPECT_EQ(some.ledger_export.filter.until.unix_seconds(), 1'789'948'800 + 86'400);
  const Command rebuild = parsed({"ledger", "rebuild", "folder", "--time"});
  EXPECT_EQ(rebuild.kind, Command::Kind::kLedgerRebuild);
  EXPECT_TRUE(rebuild.with_time);
  for (const std::vector<const char*>& wrong :
       {std::vector<const char*>{"ledger"},
        {"ledger", "verify"},
        {"ledger", "statement", "folder", "--organisation", "2"},
        {"ledger", "statement", "folder", "--month", "2026-09"},
        {"ledger", "statement", "folder", "--organisation", "2", "--month", "2026-13"},
        {"usage", "folder", "--by", "colour"},
        {"ledger", "mend", "folder"},
        {"ledger", "export", "folder", "--format", "xml"},
        {"ledger", "export", "folder", "--from", "yesterday"}}) {
    EXPECT_EQ(parsed(wrong).status, kExitUsage);
  }
}

TEST(CommandLine, KnowsWhatIsToBeToldOfUsage) {
  const Command statement = parsed({"ledger", "statement", "folder", "--organisation", "2",
                                    "--month", "2026-09", "--format", "html"});
  EXPECT_EQ(statement.kind, Command::Kind::kLedgerStatement);
  EXPECT_EQ(statement.files, std::vector<std::string>{"folder"});
  EXPECT_EQ(statement.statement.organisation, "#2");
  EXPECT_EQ(statement.statement.format, StatementQuery::Format::kHtml);
  EXPECT_EQ(statement.statement.from.unix_seconds(), 1'788'220'800);
  EXPECT_EQ(statement.statement.until.unix_seconds(), 1'788'220'800 + 30 * 86'400);
  const Command usage = parsed(
      {"usage", "folder", "--by", "day", "--key", "first", "--from", "2026-09-21", "--json"});
  EXPECT_EQ(usage.kind, Command::Kind::kUsage);
  EXPECT_EQ(usage.usage.by, UsageBy::kDay);
  EXPECT_EQ(usage.usage.filter.key, "first");
  EXPECT_EQ(usage.usage.filter.from.unix_seconds(), 1'789'948'800);
  EXPECT_TRUE(usage.usage.as_json);
  EXPECT_EQ(parsed({"usage", "folder"}).usage.by, UsageBy::kModel);
}

TEST(CommandLine, PrintsVersionHelpAndReference) {
  for (const auto& [arguments, phrase] :
       std::vector<std::pair<std::vector<const char*>, const char*>>{
           {{"--version"}, "leat "},
           {{"--help"}, "doctor"},
           {{"help"}, "doctor"},
           {{"explain", "--help"}, "--json"},
           {{"serve", "--help"}, "--config"},
           {{"help", "config"}, "streams_per_key_max"}}) {
    const Command command = parsed(arguments);
    EXPECT_EQ(command.kind, Command::Kind::kPrint) << phrase;
    EXPECT_EQ(command.status, 0);
    EXPECT_NE(command.text.find(phrase), std::string::npos) << command.text;
  }
}

TEST(CommandLine, WrongArgumentsEndWithTheirStatus) {
  for (const std::vector<const char*>& arguments : {std::vector<const char*>{"server"},
                                                    {"check"},
                                                    {"--config", "a.toml"},
                                                    {"serve", "a.toml"},
                                                    {"help", "keys"},
                                                    {"serve", "check"},
                                                    {"serve", "--config"}}) {
    const Command command = parsed(arguments);
    EXPECT_EQ(command.kind, Command::Kind::kPrint) << arguments.front();
    EXPECT_EQ(command.status, kExitUsage);
    EXPECT_FALSE(command.text.empty());
  }
}

TEST(CheckReport, TellsEachFaultAndTheirNumber) {
  Config config;
  config.faults = {{"f", 1, "a", "is bad"}, {"f", 2, "b", "is worse"}};
  EXPECT_EQ(check_report("f", config), "f:1: a: is bad\nf:2: b: is worse\nf: 2 faults\n");
}

// Of all that requests may be routed to, whichever file it stands in.
TEST(CheckReport, CountsWhatWouldBeServed) {
  FakeSurroundings surroundings = sample_surroundings();
  surroundings.files["/etc/leat/cat.toml"] =
      "[providers.acme]\n[[models]]\nid = \"deep/one\"\n"
      "[[models.endpoints]]\nprovider = \"mock\"\nmodel = \"one\"\nfree = true\n"
      "[[models.endpoints]]\nprovider = \"acme\"\nmodel = \"one\"\nfree = true\n";
  const std::string text = text_of(sample_lines());
  EXPECT_EQ(check_report("f", parse_config(text, kSampleFile, surroundings)),
            "f: good (listeners: 1, keys: 1, providers: 1, models: 1, endpoints: 1)\n");
  EXPECT_EQ(check_report("f", parse_config("catalogue = [\"cat.toml\"]\n" + text, kSampleFile,
                                           surroundings)),
            "f: good (listeners: 1, keys: 1, providers: 2, models: 2, endpoints: 3, 1 of them not "
            "asked)\n");
}

}  // namespace
}  // namespace leat::control
