// SPDX-License-Identifier: Apache-2.0
// The reference of all settings as Markdown, written from the table of settings: what
// `leat help config` prints and docs/configuration.md holds (a test keeps the two equal).
#pragma once

#include <string>

namespace leat::control {

std::string config_reference();

}  // namespace leat::control
