// SPDX-License-Identifier: Apache-2.0
// The sandbox that a running Leat puts itself into, layer by layer, each as far as the kernel has
// it: no new rights (no_new_privs), refused system calls (seccomp_filter.h), and Landlock, which
// leaves only the folders that Leat needs; it holds for what goes through a ring as well.
//
// A layer holds for the thread that enters and for those that it starts later, and for good. A
// missing layer is said at start and keeps nobody from serving.
//
// With server.hardening = "require" a missing layer does keep it from starting (whoever starts it
// asks missing()).
//
// Switched off by LEAT_HARDENING=off in the environment, and in builds with sanitizers: those look
// at their own process from a second one when it ends, which is what the sandbox refuses.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "control/seccomp_filter.h"
#include "control/surroundings.h"
#include "leat/options.h"

namespace leat::control {

// What may be opened; paths that are not there are left out.
struct SandboxPaths {
  std::vector<std::string> read;   // folders or files
  std::vector<std::string> write;  // folders, to make, change and remove files in
};

struct SandboxLayers {
  bool no_new_privs = false;
  bool seccomp = false;
  int landlock_abi = 0;  // 0: none
  std::string off;       // why there is none of all that; empty: it was tried

  // "no_new_privs, seccomp, Landlock 7", or what is missing of it.
  std::string text() const;
  // What is missing and why, for who requires all of it; empty: nothing.
  std::string missing() const;
};

// Folders of everything that `options` name, and what names are resolved with. `files`: what the
// options were read from: their folders, since who changes such a file often puts another one in
// its place.
SandboxPaths sandbox_paths(const Options& options, std::span<const std::string> files = {});
// For a shard: what names are resolved with, and nothing to write.
SandboxPaths shard_sandbox_paths();

// What the kernel offers, for `leat doctor`; changes nothing.
SandboxLayers offered_sandbox(const Surroundings& surroundings);

// The calling thread goes in. For a shard: after kProcess, on its own thread, when its ports are
// open.
SandboxLayers enter_sandbox(SandboxRole role, const SandboxPaths& paths,
                            const Surroundings& surroundings);

// Of all hardening, what `server.hardening = "require"` misses, or empty.
std::string missing_hardening(const SandboxLayers& layers, bool keys_are_locked,
                              bool rings_are_restricted);

}  // namespace leat::control
