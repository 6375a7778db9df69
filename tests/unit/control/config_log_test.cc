// SPDX-License-Identifier: Apache-2.0
// Goal: what an operator writes of logs and traces is what runs, and what cannot be meant is told
// where it stands.
// Method: the sample file with a few lines more.
#include <gtest/gtest.h>

#include "control/config.h"
#include "sample_config.h"

namespace leat::control {
namespace {

Config loaded(const std::string& more) {
  FakeSurroundings surroundings = sample_surroundings();
  surroundings.files["/etc/leat/collector"] = "hny-0123\n";
  return parse_config(text_of(sample_lines()) + more, kSampleFile, surroundings);
}

std::string fault_of(const std::string& more) {
  const Config config = loaded(more);
  if (config.faults.size() != 1) return std::to_string(config.faults.size()) + " faults";
  return config.faults.front().to_string();
}

TEST(ConfigLog, NothingIsToldUnlessItIsAskedFor) {
  const Config config = loaded("");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config.options.log.access, AccessFormat::kOff);
  EXPECT_FALSE(config.options.trace.enabled);
  EXPECT_EQ(config.options.trace.sample_ppm, 1'000'000u);
  EXPECT_EQ(config.options.trace.service_name, "leat");
}

TEST(ConfigLog, WhatIsWrittenIsRead) {
  const Config config = loaded(
      "[log]\naccess = \"logfmt\"\naccess_file = \"access.log\"\n"
      "[trace]\nendpoint = \"http://127.0.0.1:4318/v1/traces\"\nsample_percent = \"0.25\"\n"
      "service_name = \"edge\"\nsecret = { file = \"collector\" }\nsecret_header = \"x-team\"\n");
  ASSERT_TRUE(config.ok()) << config.faults.front().to_string();
  EXPECT_EQ(config.options.log.access, AccessFormat::kLogfmt);
  EXPECT_EQ(config.options.log.access_file, "/etc/leat/access.log");
  const TraceSettings& trace = config.options.trace;
  EXPECT_TRUE(trace.enabled);
  EXPECT_FALSE(trace.endpoint.tls);
  EXPECT_EQ(trace.endpoint.port, 4318);
  EXPECT_EQ(trace.endpoint.path_prefix, "/v1/traces");
  EXPECT_EQ(trace.sample_ppm, 2'500u);
  EXPECT_EQ(trace.service_name, "edge");
  EXPECT_EQ(trace.secret.kind, SecretSource::Kind::kFile);
  EXPECT_EQ(trace.secret_header, "x-team");
}

TEST(ConfigLog, NoContentIsLoggedUnlessItIsAskedForTwice) {
  const Config config = loaded("");
  EXPECT_EQ(config.options.content_log, ContentLogSettings());
  EXPECT_EQ(config.options.content_log.folder, "");
  EXPECT_FALSE(config.options.keys.front().log_content);
  EXPECT_FALSE(loaded("[content_log]\nfolder = \"/c\"\n").options.keys.front().log_content);
}

TEST(ConfigLog, WhatIsWrittenOfContentIsRead) {
  const Config config = loaded(
      "[content_log]\nfolder = \"content\"\nparts = [\"answer\"]\nredact = [\"iban\", \"card\"]\n"
      "body_bytes_max = 1024\nfile_mib_max = 2\ntotal_mib_max = 2\nretention_days = 0\n");
  ASSERT_TRUE(config.ok()) << config.faults.front().to_string();
  const ContentLogSettings& log = config.options.content_log;
  EXPECT_EQ(log.folder, "/etc/leat/content");
  EXPECT_FALSE(log.logs_requests);
  EXPECT_TRUE(log.logs_answers);
  EXPECT_EQ(log.redact,
            1U << static_cast<int>(RedactKind::kCard) | 1U << static_cast<int>(RedactKind::kIban));
  EXPECT_EQ(log.body_bytes_max, 1'024U);
  EXPECT_EQ(log.retention_days, 0U);
}

TEST(ConfigLog, ContentThatCannotBeLoggedAsWrittenIsTold) {
  const std::string section = "[content_log]\nfolder = \"c\"\n";
  EXPECT_NE(fault_of(section + "redact = [\"mail\"]\n").find("\"mail\" is not known"),
            std::string::npos);
  EXPECT_NE(fault_of(section + "redact = \"email\"\n").find("content_log.redact"),
            std::string::npos);
  EXPECT_NE(fault_of(section + "parts = []\n").find("is empty"), std::string::npos);
  EXPECT_NE(fault_of(section + "parts = [\"prompt\"]\n").find("is not known"), std::string::npos);
  EXPECT_NE(fault_of(section + "total_mib_max = 5\n").find("less than file_mib_max"),
            std::string::npos);
  const std::string key = "[[keys]]\nname = \"logged\"\nsha256 = \"" + std::string(64, 'a') +
                          "\"\nlog_content = true\n";
  EXPECT_NE(fault_of(key).find("has no place to log to"), std::string::npos);
  EXPECT_TRUE(loaded(key + section).ok());
}

TEST(ConfigLog, StandardErrorHasTwoNames) {
  EXPECT_EQ(loaded("[log]\naccess = \"json\"\n").options.log.access_file, "");
  EXPECT_EQ(loaded("[log]\naccess = \"json\"\naccess_file = \"-\"\n").options.log.access_file, "");
  EXPECT_EQ(loaded("[log]\naccess = \"json\"\n").options.log.access, AccessFormat::kJson);
}

TEST(ConfigLog, SharesAreWholeOrDecimal) {
  const auto ppm_of = [](const std::string& share) {
    return loaded("[trace]\nsample_percent = " + share + "\n").options.trace.sample_ppm;
  };
  EXPECT_EQ(ppm_of("0"), 0u);
  EXPECT_EQ(ppm_of("100"), 1'000'000u);
  EXPECT_EQ(ppm_of("\"0.0001\""), 1u);
  for (const char* share : {"101", "-1", "\"100.0001\"", "\"0.00001\"", "\"a\"", "true", "\"\""}) {
    EXPECT_NE(fault_of("[trace]\nsample_percent = " + std::string(share) + "\n")
                  .find("trace.sample_percent: is no share"),
              std::string::npos)
        << share;
  }
}

TEST(ConfigLog, WhatCannotBeMeantIsTold) {
  EXPECT_NE(fault_of("[log]\naccess = \"xml\"\n").find("log.access: \"xml\" is not known"),
            std::string::npos);
  EXPECT_NE(fault_of("[log]\nacces = \"json\"\n").find("log.acces"), std::string::npos);
  EXPECT_NE(fault_of("[trace]\nendpoint = \"http://127.0.0.1:4318\"\n").find("has no path"),
            std::string::npos);
  EXPECT_NE(fault_of("[trace]\nendpoint = \"grpc://127.0.0.1:4317/x\"\n").find("trace.endpoint"),
            std::string::npos);
  for (const char* header : {"Host", "a b", "content-length: 1", "x:y", "x: y z", ": x"}) {
    EXPECT_NE(fault_of("[trace]\nsecret_header = \"" + std::string(header) + "\"\n")
                  .find("trace.secret_header: is no header"),
              std::string::npos)
        << header;
  }
}

}  // namespace
}  // namespace leat::control
