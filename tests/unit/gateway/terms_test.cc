// SPDX-License-Identifier: Apache-2.0
// Goal: what a request's parse calls a thing and what the catalogue calls it are the same bit,
// since the two layers may not include each other and the gateway hands sets across as words.
// Method: every value by its name on the wire.
#include "policy/terms.h"

#include <gtest/gtest.h>

#include <string>

#include "dialect/parameters.h"
#include "dialect/provider_preferences.h"
#include "dialect/routing_fields.h"

namespace leat {
namespace {

TEST(Terms, ParametersAreTheSameBits) {
  ASSERT_EQ(policy::kParameters, dialect::kParameterCount);
  for (std::size_t i = 0; i < policy::kParameters; ++i) {
    EXPECT_EQ(policy::name_of(static_cast<policy::Parameter>(i)),
              dialect::parameter_name(static_cast<dialect::Parameter>(i)));
  }
  EXPECT_EQ(policy::kListedParameters.bits(), dialect::kRoutingParameters.bits());
}

TEST(Terms, QuantizationsAreTheSameBits) {
  ASSERT_EQ(policy::kQuantizations, dialect::kQuantizationCount);
  for (std::size_t i = 0; i < policy::kQuantizations; ++i) {
    EXPECT_EQ(policy::name_of(static_cast<policy::Quantization>(i)),
              dialect::quantization_name(static_cast<dialect::Quantization>(i)));
  }
}

TEST(Terms, VariantsAreTheSameBits) {
  for (std::size_t i = 0; i < policy::kVariants; ++i) {
    const std::string name = "a/b:" + std::string(policy::name_of(static_cast<policy::Variant>(i)));
    EXPECT_EQ(dialect::split_model_name(name).variants, 1u << i) << name;
  }
}

TEST(Terms, ModalitiesOfAPromptAreTheSameBits) {
  const auto same = [](policy::Modality one, dialect::Modality other) {
    return static_cast<unsigned>(one) == static_cast<unsigned>(other);
  };
  EXPECT_TRUE(same(policy::Modality::kText, dialect::Modality::kText));
  EXPECT_TRUE(same(policy::Modality::kImage, dialect::Modality::kImage));
  EXPECT_TRUE(same(policy::Modality::kAudio, dialect::Modality::kAudio));
  EXPECT_TRUE(same(policy::Modality::kFile, dialect::Modality::kFile));
  EXPECT_TRUE(same(policy::Modality::kVideo, dialect::Modality::kVideo));
}

}  // namespace
}  // namespace leat
