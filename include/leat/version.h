// SPDX-License-Identifier: Apache-2.0
// The version of the public face.
#pragma once

namespace leat {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace leat
