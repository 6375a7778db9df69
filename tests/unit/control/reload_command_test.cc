// SPDX-License-Identifier: Apache-2.0
// Goal: what `leat reload` and `leat diff` say and end with is what the running Leat answered, or
// what two files differ in; a Leat that cannot be found is not guessed at.
// Method: answers as the management API gives them; files of a test's surroundings.
#include "control/reload_command.h"

#include <gtest/gtest.h>

#include "control/command_line.h"
#include "sample_config.h"

namespace leat::control {
namespace {

constexpr const char* kTold = "Leat at here: ";

TEST(ReloadCommand, WhatChangedIsPrinted) {
  const std::string changes =
      R"([{"what":"limits.body_bytes_max","kind":"changed","before":"1","after":"2","live":true},)"
      R"({"what":"keys.batch","kind":"added","before":"","after":"","live":true}])";
  const ReloadOutcome applied = reload_outcome(
      200, R"({"data":{"generation":7,"applied":true,"changes":)" + changes + "}}", kTold);
  EXPECT_EQ(applied.output,
            "~ limits.body_bytes_max: 1 -> 2\n+ keys.batch\nin force, as generation 7\n");
  EXPECT_EQ(applied.messages, "");
  EXPECT_EQ(applied.status, 0);
  const ReloadOutcome shown = reload_outcome(
      200, R"({"data":{"generation":6,"applied":false,"changes":)" + changes + "}}", kTold);
  EXPECT_EQ(shown.output, "~ limits.body_bytes_max: 1 -> 2\n+ keys.batch\n");
  const ReloadOutcome none =
      reload_outcome(200, R"({"data":{"generation":6,"applied":false,"changes":[]}})", kTold);
  EXPECT_EQ(none.output, "nothing changes\n");
  const ReloadOutcome same =
      reload_outcome(200, R"({"data":{"generation":8,"applied":true,"changes":[]}})", kTold);
  EXPECT_EQ(same.output, "no setting changes; files are read anew\nin force, as generation 8\n");
  EXPECT_EQ(none.status, 0);
}

TEST(ReloadCommand, ARefusalIsToldWithAllItsReasons) {
  const ReloadOutcome faults = reload_outcome(
      422,
      R"({"error":{"code":422,"message":"the configuration has faults","metadata":{"faults":)"
      R"(["/etc/leat.toml:3: limits.x: unknown","/etc/leat.toml:9: \u001b[2Jkeys: none"],)"
      R"("fixed":[]}}})",
      kTold);
  EXPECT_EQ(faults.output, "");
  EXPECT_EQ(faults.messages,
            "/etc/leat.toml:3: limits.x: unknown\n"
            "/etc/leat.toml:9: ?[2Jkeys: none\n"
            "leat: Leat at here: the configuration has faults\n");
  EXPECT_EQ(faults.status, kExitConfig);
  const ReloadOutcome fixed = reload_outcome(
      422,
      R"({"error":{"code":422,"message":"some settings are fixed","metadata":{"faults":[],)"
      R"("fixed":["server.listen"]}}})",
      kTold);
  EXPECT_EQ(fixed.messages,
            "server.listen: cannot change while Leat runs; it needs a restart or a takeover\n"
            "leat: Leat at here: some settings are fixed\n");
  EXPECT_EQ(fixed.status, kExitConfig);
  EXPECT_EQ(reload_outcome(422, R"({"error":{"message":"no"}})", kTold).status, kExitConfig);
}

TEST(ReloadCommand, OtherAnswersAreNotTakenForGood) {
  const ReloadOutcome busy =
      reload_outcome(409, R"({"error":{"code":409,"message":"one is under way"}})", kTold);
  EXPECT_EQ(busy.messages, "leat: Leat at here: one is under way\n");
  EXPECT_EQ(busy.status, kExitRefused);
  for (const auto& [status, body] : std::vector<std::pair<int, std::string>>{
           {200, ""}, {200, "{}"}, {200, R"({"data":{}})"}, {404, "not found"}, {422, "<html>"}}) {
    const ReloadOutcome odd = reload_outcome(status, body, kTold);
    EXPECT_EQ(odd.status, kExitNoInput) << status;
    EXPECT_EQ(odd.output, "");
    EXPECT_EQ(odd.messages, "leat: Leat at here: it answers " + std::to_string(status) + "\n");
  }
  EXPECT_EQ(reload_outcome(403, R"({"error":{"code":403,"message":"not yours"}})", kTold).messages,
            "leat: Leat at here: not yours\n");
}

FakeSurroundings with_files(const std::string& old_text, const std::string& new_text) {
  FakeSurroundings surroundings = sample_surroundings();
  surroundings.files["/etc/leat/old.toml"] = old_text;
  surroundings.files["/etc/leat/new.toml"] = new_text;
  return surroundings;
}

ReloadOutcome compared(const std::string& old_text, const std::string& new_text) {
  return run_reload({.place = {.config_file = "/etc/leat/new.toml"},
                     .is_dry_run = true,
                     .against_file = "/etc/leat/old.toml"},
                    with_files(old_text, new_text));
}

TEST(ReloadCommand, TwoFilesAreCompared) {
  const std::string good = text_of(sample_lines());
  EXPECT_EQ(compared(good, good).output, "nothing changes\n");
  const ReloadOutcome some =
      compared(good, changed("[limits]", "streams_per_key_max", "30000").text);
  EXPECT_EQ(some.output, "~ limits.streams_per_key_max: 20000 -> 30000\n");
  EXPECT_EQ(some.status, 0);
  const ReloadOutcome fixed = compared(good, changed("[server]", "pin", "[1]").text);
  EXPECT_EQ(fixed.output, "~ server.pin: [0] -> [1] (needs a restart or a takeover)\n");
  EXPECT_EQ(fixed.status, 0);
  const ReloadOutcome bad = compared("[server", changed("[limits]", "oops", "1").text);
  EXPECT_EQ(bad.output, "");
  EXPECT_EQ(bad.status, kExitConfig);
  EXPECT_NE(bad.messages.find("/etc/leat/old.toml:1: "), std::string::npos) << bad.messages;
  EXPECT_NE(bad.messages.find("limits.oops"), std::string::npos) << bad.messages;
}

// The defaults' listener is somebody else's Leat.
TEST(AdminClient, APlaceIsNeverGuessed) {
  const auto resolved = [](const std::string& text, AdminPlace& place) {
    place = {.config_file = "/etc/leat/new.toml", .socket = {}, .url = {}};
    return resolve(place, with_files("", text));
  };
  AdminPlace place;
  EXPECT_EQ(resolved("[admin\n", place).status, kExitConfig);
  EXPECT_EQ(place.url, "");
  const AdminFault wrong = resolved(changed("[admin]", "listen", "\"10.0.0.1:1\"").text, place);
  EXPECT_EQ(wrong.status, kExitConfig);
  EXPECT_NE(wrong.why.find("admin.listen"), std::string::npos) << wrong.why;
  place = {.config_file = "/nowhere", .socket = {}, .url = {}};
  EXPECT_EQ(resolve(place, with_files("", "")).status, kExitConfig);
  const AdminFault off = resolved(changed("[admin]", "listen", "\"\"").text, place);
  EXPECT_EQ(off.status, kExitConfig);
  EXPECT_NE(off.why.find("no admin listener"), std::string::npos) << off.why;
}

TEST(AdminClient, OtherFaultsDoNotMatter) {
  // The service has secrets that a shell has not.
  std::vector<std::string> lines = sample_lines();
  lines.insert(lines.begin() + 8, "operator_key = { env = \"NOT_HERE\" }");
  AdminPlace place{.config_file = "/etc/leat/new.toml", .socket = {}, .url = {}};
  EXPECT_EQ(resolve(place, with_files("", text_of(lines))).why, "");
  EXPECT_EQ(place.url, "http://127.0.0.1:8081");
  lines.insert(lines.begin() + 8, "socket = \"admin.sock\"");
  place.url.clear();
  EXPECT_EQ(resolve(place, with_files("", text_of(lines))).why, "");
  EXPECT_EQ(place.socket, "/etc/leat/admin.sock");
  EXPECT_EQ(place.url, "");
  AdminPlace given{.config_file = {}, .socket = "s", .url = {}};
  EXPECT_EQ(resolve(given, with_files("", "")).why, "");
}

TEST(AdminClient, WhatCannotBeAskedIsSaid) {
  FakeSurroundings surroundings = sample_surroundings();
  const auto asked = [&](const std::string& url) {
    return ask_admin({.config_file = {}, .socket = {}, .url = url}, "POST", "/x", seconds(1),
                     surroundings)
        .fault;
  };
  EXPECT_EQ(asked("http://a.name:80").status, kExitUsage);
  surroundings.variables[kOperatorKeyVariable] = "key\r\nx-evil: 1";
  const AdminFault fault = asked("http://127.0.0.1:1");
  EXPECT_EQ(fault.status, kExitNoInput);
  EXPECT_EQ(fault.why.find("evil"), std::string::npos) << "a secret is never repeated";
}

}  // namespace
}  // namespace leat::control
