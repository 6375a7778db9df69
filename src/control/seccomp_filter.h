// SPDX-License-Identifier: Apache-2.0
// System calls that Leat never makes and an intruder would: the kernel refuses them to the thread
// that installs a filter and to all that it starts. A refused call gets EPERM and nobody is ended
// for it: a library that tries something new must not cost running answers.
//
// A filter is a program of the kernel's (seccomp(2)), for x86-64 only. A list of what is refused,
// rather than of what is allowed, since libraries choose their calls anew with each version. What
// is submitted through a ring no filter sees: that is for Landlock (sandbox.h).
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <vector>

namespace leat::control {

enum class SandboxRole : std::uint8_t {
  kProcess,  // starts nothing, traces nobody, changes neither the system nor who it is
  kShard,    // on top: opens nothing to write, makes, moves and removes no file
};

std::vector<sock_filter> seccomp_program(SandboxRole role);

// REQUIRES: no_new_privs. False: the kernel refuses it.
bool install_seccomp_filter(SandboxRole role);

}  // namespace leat::control
