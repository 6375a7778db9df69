// SPDX-License-Identifier: Apache-2.0
// The input is a configuration file. Whatever it holds, reading it ends, either with options that
// are sound or with faults that each name a line of the file and repeat neither control bytes nor
// the secrets of the surroundings.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "control/config.h"

namespace {

constexpr std::string_view kSecret = "sk-8f6fdc0f0a3c-6";

// One variable and one file of each kind; everything else is missing.
class FuzzSurroundings final : public leat::control::Surroundings {
 public:
  std::optional<std::string_view> variable(const std::string& name) const override {
    if (name == "KEY") return kSecret;
    return std::nullopt;
  }
  leat::Result<std::size_t> read_file(const std::string& path, std::span<char> out) const override {
    std::string_view text;
    if (path == "key") text = kSecret;
    if (path == leat::control::kSystemRootsFile) text = "-----BEGIN CERTIFICATE-----";
    if (path == "ca.pem") text = "-----BEGIN CERTIFICATE-----";
    if (path == "key.pem") text = "-----BEGIN PRIVATE KEY-----";
    if (text.empty()) return leat::fail({.code = leat::Code::kNotFound, .what = "does not exist"});
    if (text.size() > out.size()) {
      return leat::fail({.code = leat::Code::kTooLarge, .what = "is too large"});
    }
    std::copy(text.begin(), text.end(), out.begin());
    return text.size();
  }
};

void check_sound(const leat::Options& options) {
  LEAT_CHECK(!options.server.listen.empty() && !options.models.empty());
  LEAT_CHECK(options.server.pin.empty() || options.server.pin.size() == options.server.shards);
  LEAT_CHECK(options.auth_mode == leat::AuthMode::kOff || !options.keys.empty());
  for (const leat::Model& model : options.models) {
    LEAT_CHECK(!model.id.empty() && !model.endpoints.empty());
    LEAT_CHECK(model.first_byte_ms_max > 0 && model.chunk_gap_ms_max > 0);
    for (const leat::Endpoint& endpoint : model.endpoints) {
      LEAT_CHECK(endpoint.provider < options.providers.size());
      LEAT_CHECK(endpoint.model != "*" || model.is_pattern());
    }
  }
  for (const leat::Provider& provider : options.providers) {
    LEAT_CHECK(!provider.name.empty());
    if (provider.format == leat::ProviderFormat::kSimulated) continue;
    LEAT_CHECK(!provider.base_url.host.empty() && provider.base_url.port != 0);
    LEAT_CHECK(provider.base_url.tls || provider.allow_private);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  const leat::control::Config config =
      leat::control::parse_config(text, "fuzz.toml", FuzzSurroundings());
  if (config.ok()) check_sound(config.options);
  for (const leat::control::Fault& fault : config.faults) {
    const std::string line = fault.to_string();
    LEAT_CHECK(fault.line <= lines + 1);
    LEAT_CHECK(!fault.what.empty());
    LEAT_CHECK(std::none_of(line.begin(), line.end(),
                            [](char c) { return static_cast<unsigned char>(c) < 0x20; }));
    // A file may spell the secret itself; then it is the file's text, not the surroundings'.
    LEAT_CHECK(text.find(kSecret) != std::string_view::npos ||
               line.find(kSecret) == std::string::npos);
  }
  return 0;
}
