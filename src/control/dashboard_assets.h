// SPDX-License-Identifier: Apache-2.0
// The files of the dashboard (src/control/dashboard/), which are in the program: its source is made
// of them by dashboard/embed.py. Immutable, for as long as the program runs; nothing is read from
// disk and no other host is named in them.
#pragma once

#include <span>
#include <string_view>

namespace leat::control {

struct DashboardAsset {
  std::string_view path;  // "/dashboard/app.js"
  std::string_view content_type;
  std::string_view tag;  // ETag, with its quotes
  std::span<const unsigned char> bytes;

  std::string_view text() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
};

std::span<const DashboardAsset> dashboard_assets();

}  // namespace leat::control
