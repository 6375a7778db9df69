// SPDX-License-Identifier: Apache-2.0
// `leat doctor`: what kernel, limits and CPU offer, what Leat makes of each, and what to change
// where that is little. Pure: the facts come from machine.h and from io's preflight.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "control/machine.h"
#include "control/sandbox.h"
#include "io/preflight.h"
#include "leat/options.h"

namespace leat::control {

struct DoctorLine {
  std::string name;
  std::string offered;
  std::string used;  // what Leat makes of it, or what to change
};

struct DoctorReport {
  std::string text;
  bool can_serve = true;  // false: `leat serve` would end with status 78
};

// `ring`: what io::run_preflight() gave.
// `sandbox`: what offered_sandbox() gave.
// `more`: of cores, network cards and pages (control/placement.h), and of what is configured.
DoctorReport examine(const MachineFacts& facts, const Result<io::Capabilities>& ring,
                     const SandboxLayers& sandbox, std::span<const DoctorLine> more = {});

// Whether prompts and answers can be written anywhere, and where: only a restart changes that.
DoctorLine content_log_line(const ContentLogSettings& settings);

}  // namespace leat::control
