// SPDX-License-Identifier: Apache-2.0
// Goal: in the sandbox a thread can do what Leat does, and nothing of what an intruder would: start
// programs, look into other processes, run what it wrote, read or write files of others.
// Method: a child process goes in and tries; it ends with the line of the first surprise.
#include "control/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include "fake_surroundings.h"

namespace leat::control {
namespace {

// 0, or what refused it.
int opens(const std::string& path, int flags) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  close(fd);
  return 0;
}

// In a child: ends it unless the two are equal.
void expect_equal(int found, int wanted, const char* what) {
  if (found == wanted) return;
  std::fprintf(stderr, "%s: %d, not %d\n", what, found, wanted);
  _exit(1);
}

class SandboxTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "leat-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
    for (const char* folder : {"read", "write", "other"}) {
      std::filesystem::create_directory(root_ / folder);
      std::ofstream(root_ / folder / "file") << "text";
    }
    paths_ = {.read = {in("read"), in("not there")}, .write = {in("write")}};
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  std::string in(const std::string& path) const { return (root_ / path).string(); }

  // Whether `tries` went as it wants, in a process of its own.
  static bool child(const std::function<void()>& tries) {
    std::fflush(nullptr);
    const pid_t pid = fork();
    if (pid == 0) {
      tries();
      _exit(0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  // None with sanitizers, and the test is that this is said.
  bool is_off() const {
    const std::string off = offered_sandbox(surroundings_).off;
    EXPECT_TRUE(off.empty() || off == "a build with sanitizers") << off;
    return !off.empty();
  }

  FakeSurroundings surroundings_;
  std::filesystem::path root_;
  SandboxPaths paths_;
};

void try_what_is_refused_to_all() {
  char* const arguments[] = {const_cast<char*>("false"), nullptr};
  expect_equal(execv("/bin/false", arguments) == -1 ? errno : 0, EPERM, "exec");
  expect_equal(fork() == -1 ? errno : 0, EPERM, "fork");
  // Of a process that it does not trace: without a filter that would be ESRCH.
  const long peeked = ptrace(PTRACE_PEEKDATA, getppid(), nullptr, nullptr);
  expect_equal(peeked == -1 ? errno : 0, EPERM, "ptrace");
  expect_equal(setuid(getuid()) == -1 ? errno : 0, EPERM, "setuid");
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  expect_equal(page == MAP_FAILED, 0, "mmap");
  expect_equal(mprotect(page, 4096, PROT_READ | PROT_EXEC) == -1 ? errno : 0, EPERM, "mprotect");
  void* code = mmap(nullptr, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  expect_equal(code == MAP_FAILED ? errno : 0, EPERM, "mmap of code");
  expect_equal(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1, "no_new_privs");
}

TEST_F(SandboxTest, AProcessKeepsItsFoldersAndItsThreads) {
  if (is_off()) return;
  EXPECT_TRUE(child([&] {
    const SandboxLayers layers = enter_sandbox(SandboxRole::kProcess, paths_, surroundings_);
    expect_equal(layers.no_new_privs && layers.seccomp, true, "layers");
    try_what_is_refused_to_all();
    expect_equal(opens(in("write/new"), O_WRONLY | O_CREAT | O_TRUNC), 0, "make");
    expect_equal(std::rename(in("write/new").c_str(), in("write/file").c_str()), 0, "rename");
    expect_equal(truncate(in("write/file").c_str(), 1), 0, "truncate");
    expect_equal(opens(in("read/file"), O_RDONLY), 0, "read");
    bool has_run = false;
    std::thread([&] { has_run = true; }).join();
    expect_equal(has_run, true, "thread");
    if (layers.landlock_abi == 0) return;
    expect_equal(opens(in("read/file"), O_WRONLY), EACCES, "write where it may read");
    expect_equal(opens(in("read/new"), O_WRONLY | O_CREAT), EACCES, "make where it may read");
    expect_equal(opens(in("other/file"), O_RDONLY), EACCES, "read of others");
    expect_equal(unlink(in("other/file").c_str()) == -1 ? errno : 0, EACCES, "unlink of others");
  }));
}

TEST_F(SandboxTest, AShardWritesNothingAndOpensNoPort) {
  if (is_off()) return;
  EXPECT_TRUE(child([&] {
    const SandboxLayers layers = enter_sandbox(SandboxRole::kProcess, paths_, surroundings_);
    std::thread([&] {
      const SandboxPaths paths{.read = {in("read")}, .write = {}};
      expect_equal(enter_sandbox(SandboxRole::kShard, paths, surroundings_).seccomp, true, "shard");
      try_what_is_refused_to_all();
      expect_equal(opens(in("read/file"), O_RDONLY), 0, "read");
      expect_equal(opens(in("write/file"), O_RDWR), EPERM, "write");
      expect_equal(opens(in("write/new"), O_WRONLY | O_CREAT), EPERM, "make");
      expect_equal(unlink(in("write/file").c_str()) == -1 ? errno : 0, EPERM, "unlink");
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      expect_equal(fd >= 0, true, "socket");
      sockaddr_in any{};
      any.sin_family = AF_INET;
      const int bound = bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any);
      if (layers.landlock_abi >= 4) expect_equal(bound == -1 ? errno : 0, EACCES, "bind");
      expect_equal(listen(fd, 1) == -1 ? errno : 0, EPERM, "listen");
      if (layers.landlock_abi > 0) expect_equal(opens(in("write/file"), O_RDONLY), EACCES, "other");
    }).join();
    // The others go on as before.
    expect_equal(opens(in("write/new"), O_WRONLY | O_CREAT), 0, "make");
  }));
}

TEST_F(SandboxTest, IsSwitchedOffByItsVariableOnly) {
  surroundings_.variables["LEAT_HARDENING"] = "no";
  EXPECT_EQ(offered_sandbox(surroundings_).off.empty(), !is_off());
  surroundings_.variables["LEAT_HARDENING"] = "off";
  const int before = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);  // a container may have set it
  EXPECT_TRUE(child([&] {
    const SandboxLayers layers = enter_sandbox(SandboxRole::kProcess, {}, surroundings_);
    expect_equal(layers.off.empty(), false, "off");
    expect_equal(opens(in("other/file"), O_RDONLY), 0, "read of others");
    expect_equal(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), before, "no_new_privs");
  }));
}

TEST_F(SandboxTest, HasTheFoldersOfAllThatOptionsName) {
  Options options;
  options.ledger.folder = "/data/ledger";
  options.accounts.store_file = "/data/accounts.db";
  options.routing.health_file = "health.json";
  options.admin.socket = "/run/leat/admin.sock";
  options.server.tls_certificate = "/etc/ssl/own/cert.pem";
  const SandboxPaths paths = sandbox_paths(options);
  EXPECT_EQ(paths.write, (std::vector<std::string>{"/data/ledger", "/data", ".", "/run/leat"}));
  EXPECT_NE(std::find(paths.read.begin(), paths.read.end(), "/etc/ssl/own"), paths.read.end());
  // What was read for them is read again, and may be another file by then.
  const std::vector<std::string> files = {"/srv/leat/leat.toml", "/srv/leat/keys/openai"};
  const SandboxPaths more = sandbox_paths(Options{}, files);
  for (const char* folder : {"/srv/leat", "/srv/leat/keys"}) {
    EXPECT_NE(std::find(more.read.begin(), more.read.end(), folder), more.read.end()) << folder;
  }
  EXPECT_TRUE(sandbox_paths(Options{}).write.empty());
  EXPECT_TRUE(shard_sandbox_paths().write.empty());
}

}  // namespace
}  // namespace leat::control
