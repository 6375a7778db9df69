// SPDX-License-Identifier: Apache-2.0
#include "control/health_file.h"

#include <cstdint>
#include <span>

namespace leat::control {
namespace {

// Above any state of 5,000 endpoints that were all busy for a day.
constexpr std::size_t kBytesMax = 64 << 20;

}  // namespace

std::string HealthFile::load(const Surroundings& surroundings, gateway::HealthDesk& desk,
                             Instant now, WallTime wall) {
  if (!file_.is_kept()) return {};
  const auto bytes = file_.read(surroundings, kBytesMax);
  if (!bytes && bytes.error().code == Code::kNotFound) return {};
  const char* why = bytes ? nullptr : bytes.error().what;
  if (bytes) {
    const auto* begin = reinterpret_cast<const std::uint8_t*>(bytes->data());
    const auto restored = desk.restore({begin, bytes->size()}, now, wall);
    if (!restored) why = restored.error().what;
  }
  return why == nullptr ? "" : file_.refusal(why, "what was measured");
}

std::string HealthFile::save(const gateway::HealthDesk& desk, Instant now, WallTime wall) {
  if (!file_.is_kept()) return {};
  const auto state = desk.state(now, wall);
  return file_.write({reinterpret_cast<const char*>(state.data()), state.size()});
}

}  // namespace leat::control
