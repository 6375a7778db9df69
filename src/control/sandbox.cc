// SPDX-License-Identifier: Apache-2.0
#include "control/sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <set>

namespace leat::control {
namespace {

#ifdef LEAT_SANITIZED
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif

// What Debian 12's <linux/landlock.h> does not know yet; by the kernel's ABI.
constexpr std::uint64_t kTruncate = 1ull << 14;   // 3
constexpr std::uint64_t kIoctlDev = 1ull << 15;   // 5
constexpr std::uint64_t kNetBindTcp = 1ull << 0;  // 4
struct RulesetAttributes {
  std::uint64_t handled_access_fs = 0;
  std::uint64_t handled_access_net = 0;  // 4
};

constexpr std::uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE;
constexpr std::uint64_t kReading = kReadFile | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kWriteFile = LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;
constexpr std::uint64_t kWriting = kReading | kWriteFile | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                                   LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                                   LANDLOCK_ACCESS_FS_REFER;
constexpr std::uint64_t kOfFiles = kReadFile | kWriteFile;

int landlock_abi() {
  const long abi =
      syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi > 0 ? static_cast<int>(abi) : 0;
}

// All that a kernel with this ABI can refuse of files.
std::uint64_t known_rights(int abi) {
  std::uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;  // 1
  if (abi >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) rights |= kTruncate;
  if (abi >= 5) rights |= kIoctlDev;
  return rights;
}

void allow(int ruleset, const std::string& path, std::uint64_t rights) {
  const int fd = open(path.c_str(), O_PATH | O_CLOEXEC);
  if (fd < 0) return;
  struct stat status {};
  if (fstat(fd, &status) == 0) {
    if (!S_ISDIR(status.st_mode)) rights &= kOfFiles;
    const landlock_path_beneath_attr rule{.allowed_access = rights, .parent_fd = fd};
    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  }
  close(fd);
}

bool enter_landlock(int abi, const SandboxPaths& paths, bool may_bind) {
  const std::uint64_t known = known_rights(abi);
  const RulesetAttributes attributes{.handled_access_fs = known,
                                     .handled_access_net = may_bind ? 0 : kNetBindTcp};
  const std::size_t size = abi >= 4 ? sizeof attributes : sizeof attributes.handled_access_fs;
  const auto ruleset = static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, size, 0));
  if (ruleset < 0) return false;
  for (const std::string& path : paths.read) allow(ruleset, path, kReading & known);
  for (const std::string& path : paths.write) allow(ruleset, path, kWriting & known);
  const bool entered = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
  close(ruleset);
  return entered;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string why_off(const Surroundings& surroundings) {
  if (kIsSanitized) return "a build with sanitizers";
  return surroundings.variable("LEAT_HARDENING").value_or("") == "off" ? "LEAT_HARDENING=off" : "";
}

}  // namespace

std::string SandboxLayers::text() const {
  if (!off.empty()) return fmt::format("off ({})", off);
  return fmt::format("{}no_new_privs, {}seccomp, {}", no_new_privs ? "" : "NO ",
                     seccomp ? "" : "NO ",
                     landlock_abi > 0 ? fmt::format("Landlock {}", landlock_abi) : "NO Landlock");
}

std::string SandboxLayers::missing() const {
  if (!off.empty()) return fmt::format("the sandbox ({})", off);
  std::string all;
  const auto add = [&](bool is_there, std::string_view name) {
    if (!is_there) all += fmt::format("{}{}", all.empty() ? "" : ", ", name);
  };
  add(no_new_privs, "no_new_privs");
  add(seccomp, "seccomp");
  add(landlock_abi > 0, "Landlock");
  return all;
}

std::string missing_hardening(const SandboxLayers& layers, bool keys_are_locked,
                              bool rings_are_restricted) {
  std::string all = layers.missing();
  if (!rings_are_restricted) all += fmt::format("{}restricted rings", all.empty() ? "" : ", ");
  if (!keys_are_locked) {
    all += fmt::format("{}locked memory for keys (`ulimit -l`)", all.empty() ? "" : ", ");
  }
  return all;
}

SandboxPaths shard_sandbox_paths() {
  // resolv.conf is often a link into /run.
  return {.read = {"/etc", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager"},
          .write = {}};
}

SandboxPaths sandbox_paths(const Options& options, std::span<const std::string> files) {
  SandboxPaths paths = shard_sandbox_paths();
  // The process's own memory, the cgroup's limit, random bytes, authorities.
  paths.read.insert(paths.read.end(), {"/proc", "/sys/fs/cgroup", "/sys/devices/system",
                                       "/dev/urandom", "/dev/null", "/usr/share", "/usr/lib"});
  for (const std::string* file : {&options.server.tls_certificate, &options.server.tls_key}) {
    if (!file->empty()) paths.read.push_back(folder_of(*file));
  }
  std::set<std::string> folders;
  for (const std::string& file : files) folders.insert(folder_of(file));
  paths.read.insert(paths.read.end(), folders.begin(), folders.end());
  for (const std::string* folder : {&options.ledger.folder, &options.content_log.folder}) {
    if (!folder->empty()) paths.write.push_back(*folder);
  }
  for (const std::string* file : {&options.accounts.store_file, &options.routing.health_file,
                                  &options.admin.socket, &options.log.access_file}) {
    if (!file->empty()) paths.write.push_back(folder_of(*file));
  }
  return paths;
}

SandboxLayers offered_sandbox(const Surroundings& surroundings) {
  SandboxLayers layers;
  layers.off = why_off(surroundings);
  if (!layers.off.empty()) return layers;
  layers.no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) >= 0;
  layers.seccomp = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
  layers.landlock_abi = landlock_abi();
  return layers;
}

SandboxLayers enter_sandbox(SandboxRole role, const SandboxPaths& paths,
                            const Surroundings& surroundings) {
  SandboxLayers layers;
  layers.off = why_off(surroundings);
  if (!layers.off.empty()) return layers;
  layers.no_new_privs = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
  const int abi = landlock_abi();
  if (abi > 0 && enter_landlock(abi, paths, role == SandboxRole::kProcess)) {
    layers.landlock_abi = abi;
  }
  layers.seccomp = install_seccomp_filter(role);
  return layers;
}

}  // namespace leat::control
