// SPDX-License-Identifier: Apache-2.0
#include "control/seccomp_filter.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace leat::control {
namespace {

constexpr std::uint32_t kRefuse = SECCOMP_RET_ERRNO | EPERM;
constexpr std::uint32_t kUnknown = SECCOMP_RET_ERRNO | ENOSYS;
constexpr std::uint32_t kX32Bit = 0x40000000;  // another numbering of the same calls

constexpr int kRefusedToAll[] = {
    // Other programs.
    SYS_execve, SYS_execveat, SYS_fork, SYS_vfork,
    // Other processes.
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, SYS_pidfd_getfd,
    // Another user, other rights, another view of the system.
    SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid, SYS_setfsuid,
    SYS_setfsgid, SYS_setgroups, SYS_capset, SYS_unshare, SYS_setns, SYS_chroot, SYS_pivot_root,
    SYS_personality, SYS_mount, SYS_umount2, SYS_move_mount, SYS_open_tree, SYS_fsopen,
    SYS_fsconfig, SYS_fsmount, SYS_fspick, SYS_mount_setattr, SYS_open_by_handle_at,
    SYS_name_to_handle_at,
    // The system itself.
    SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_kexec_file_load,
    SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl, SYS_syslog, SYS_settimeofday,
    SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex, SYS_sethostname, SYS_setdomainname,
    SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_vhangup,
    // Doors to much of the kernel that Leat has no use for.
    SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_add_key, SYS_request_key, SYS_keyctl,
    SYS_mknod, SYS_mknodat};

constexpr int kRefusedToShards[] = {
    SYS_creat,     SYS_unlink,   SYS_unlinkat,  SYS_rename,   SYS_renameat, SYS_renameat2,
    SYS_mkdir,     SYS_mkdirat,  SYS_rmdir,     SYS_link,     SYS_linkat,   SYS_symlink,
    SYS_symlinkat, SYS_truncate, SYS_chmod,     SYS_fchmodat, SYS_chown,    SYS_lchown,
    SYS_fchownat,  SYS_setxattr, SYS_lsetxattr, SYS_openat2,  SYS_listen,   SYS_memfd_create};

class Program {
 public:
  Program() {
    load(offsetof(seccomp_data, arch));
    add(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    give(SECCOMP_RET_KILL_PROCESS);
    load(offsetof(seccomp_data, nr));
    add(BPF_JMP | BPF_JGE | BPF_K, kX32Bit, 0, 1);
    give(kRefuse);
  }

  void refuse(int call, std::uint32_t answer = kRefuse) {
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1);
    give(answer);
  }
  // If the argument has one of `bits`.
  void refuse_with(int call, int argument, std::uint32_t bits) {
    judge(call, argument, bits, 0, 1);
  }
  // If it has none of them.
  void refuse_without(int call, int argument, std::uint32_t bits) {
    judge(call, argument, bits, 1, 0);
  }

  std::vector<sock_filter> take() {
    give(SECCOMP_RET_ALLOW);
    return std::move(code_);
  }

 private:
  void add(int code, std::uint32_t value, std::uint8_t if_true = 0, std::uint8_t if_false = 0) {
    code_.push_back({static_cast<std::uint16_t>(code), if_true, if_false, value});
  }
  void load(std::size_t offset) {
    add(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
  }
  void give(std::uint32_t answer) { add(BPF_RET | BPF_K, answer); }
  // All bits in question are in the lower half of an argument, which comes first in memory.
  void judge(int call, int argument, std::uint32_t bits, std::uint8_t if_set,
             std::uint8_t if_clear) {
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 4);
    load(offsetof(seccomp_data, args) + sizeof(std::uint64_t) * static_cast<std::size_t>(argument));
    add(BPF_JMP | BPF_JSET | BPF_K, bits, if_set, if_clear);
    give(kRefuse);
    give(SECCOMP_RET_ALLOW);
  }

  std::vector<sock_filter> code_;
};

}  // namespace

std::vector<sock_filter> seccomp_program(SandboxRole role) {
  Program program;
  if (role == SandboxRole::kShard) {
    for (const int call : kRefusedToShards) program.refuse(call);
    constexpr std::uint32_t kWriting = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
    program.refuse_with(SYS_open, 1, kWriting);
    program.refuse_with(SYS_openat, 2, kWriting);
    return program.take();
  }
  for (const int call : kRefusedToAll) program.refuse(call);
  // Threads are started, processes are not. Of clone3's arguments no filter sees anything; glibc
  // takes clone where there is none.
  program.refuse(SYS_clone3, kUnknown);
  program.refuse_without(SYS_clone, 0, CLONE_THREAD);
  // What was written is never run.
  program.refuse_with(SYS_mmap, 2, PROT_EXEC);
  program.refuse_with(SYS_mprotect, 2, PROT_EXEC);
  program.refuse_with(SYS_pkey_mprotect, 2, PROT_EXEC);
  return program.take();
}

bool install_seccomp_filter(SandboxRole role) {
  std::vector<sock_filter> code = seccomp_program(role);
  const sock_fprog program{.len = static_cast<unsigned short>(code.size()), .filter = code.data()};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

}  // namespace leat::control
