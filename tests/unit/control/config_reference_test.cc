// SPDX-License-Identifier: Apache-2.0
// Goal: the reference that people read is the table that the reader uses, and its example works.
// Method: docs/configuration.md compared whole; the example of it parsed.
#include "control/config_reference.h"

#include <gtest/gtest.h>

#include "control/config.h"
#include "sample_config.h"

namespace leat::control {
namespace {

TEST(ConfigReference, TheCommittedPageIsTheGeneratedOne) {
  std::string page(1 << 20, '\0');
  const Result<std::size_t> size = SystemSurroundings().read_file(LEAT_REFERENCE_PAGE, page);
  ASSERT_TRUE(size) << "write it: leat help config > docs/configuration.md";
  page.resize(*size);
  EXPECT_EQ(page, config_reference()) << "write it anew: leat help config > docs/configuration.md";
}

TEST(ConfigReference, NamesEveryLimitWithItsDefaultAndRange) {
  const std::string text = config_reference();
  EXPECT_NE(text.find("| `streams_per_key_max` | 1 to 10000000 | 1000 | live |"),
            std::string::npos);
  EXPECT_NE(text.find("| `shards` | 0 to 256 | 1 | fixed |"), std::string::npos);
  EXPECT_NE(text.find("| `id` | text, 1 to 256 bytes | required | live |"), std::string::npos);
}

TEST(ConfigReference, ItsExampleIsSound) {
  const std::string text = config_reference();
  const std::size_t begin = text.find("```toml\n") + 8;
  const std::string example = text.substr(begin, text.find("```", begin) - begin);
  FakeSurroundings surroundings = sample_surroundings();
  surroundings.variables = {{"LEAT_DEV_KEY", "sk-dev-0123456789"}, {"OPENAI_API_KEY", "sk-x"}};
  const Config config = parse_config(example, kSampleFile, surroundings);
  EXPECT_TRUE(config.ok()) << config.faults.front().to_string();
  EXPECT_EQ(config.options.models.size(), 2u);
}

}  // namespace
}  // namespace leat::control
