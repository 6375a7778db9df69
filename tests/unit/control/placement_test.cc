// SPDX-License-Identifier: Apache-2.0
// Goal: connections are steered by core only where that spreads them over all shards, and the
// doctor names what would bring more, with the command for it. Method: made-up machines.
#include "control/placement.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>

#include "machine_tree.h"

namespace leat::control {
namespace {

// Two cores and a card whose two queues go to `first` and `second`.
void write_machine(MachineTree& tree, const std::string& first = "0",
                   const std::string& second = "1") {
  tree.write_cores(2);
  tree.write_pci_card("eth0", {{27, "eth0-TxRx-0", first, "0"}, {28, "eth0-TxRx-1", second, "1"}});
}

ServerOptions pinned(std::vector<std::uint32_t> cores, Steering steering = Steering::kAuto) {
  ServerOptions server;
  server.shards = static_cast<std::uint32_t>(cores.size());
  server.pin = std::move(cores);
  server.steering = steering;
  return server;
}

SteeringChoice chosen(const MachineTree& tree, const ServerOptions& server) {
  return choose_steering(server, read_topology(tree.root()));
}

TEST(Steering, ByCoreWhereQueuesGoToShards) {
  MachineTree tree;
  write_machine(tree);
  EXPECT_TRUE(chosen(tree, pinned({0, 1})).by_core);
  EXPECT_TRUE(chosen(tree, pinned({1, 0})).by_core);
  EXPECT_FALSE(chosen(tree, pinned({0, 1}, Steering::kHash)).by_core);
}

TEST(Steering, ByHashWhereAShardWouldGetAllOrNone) {
  const auto why = [](const MachineTree& tree, const ServerOptions& server) {
    const SteeringChoice choice = chosen(tree, server);
    EXPECT_FALSE(choice.by_core);
    return choice.why;
  };
  MachineTree tree;
  write_machine(tree);
  EXPECT_EQ(why(tree, {}), "shards are not pinned");
  EXPECT_EQ(why(tree, pinned({0})), "there is one shard");
  EXPECT_EQ(why(tree, pinned({0, 2})), "eth0 brings packets to cores without a shard");
  EXPECT_EQ(why(tree, pinned({0, 1, 2})), "some shards' cores get no packets");
  MachineTree loose;
  write_machine(loose, "0-1", "0-1");
  EXPECT_EQ(why(loose, pinned({0, 1})), "eth0's interrupts may go to several cores");
  MachineTree one_sided;
  write_machine(one_sided, "0", "0");
  one_sided.write("proc/irq/28/effective_affinity_list", "0\n");
  EXPECT_EQ(why(one_sided, pinned({0, 1})), "some shards' cores get no packets");
  EXPECT_EQ(why(MachineTree(), pinned({0, 1})), "no network card is seen");
  // As a service sees it that has no more of /proc than processes.
  MachineTree hidden;
  write_machine(hidden);
  std::filesystem::remove(hidden.root() + "/proc/interrupts");
  EXPECT_EQ(why(hidden, pinned({0, 1})), "eth0's interrupts are not to be seen");
}

TEST(Steering, ByCoreWhereSoftwareSpreadsOverTheShards) {
  MachineTree tree;
  write_machine(tree, "0", "0");
  tree.write("sys/class/net/eth0/queues/rx-0/rps_cpus", "3\n");
  EXPECT_TRUE(chosen(tree, pinned({0, 1})).by_core);
}

TEST(Steering, AsToldWhateverTheMachine) {
  EXPECT_TRUE(chosen(MachineTree(), pinned({0, 1}, Steering::kCore)).by_core);
}

// The lines of the doctor, in one text.
std::string doctor(const MachineTree& tree, const ServerOptions& server, std::uint32_t shards,
                   bool offers_napi = true) {
  std::string text;
  for (const DoctorLine& line : placement_lines({.topology = read_topology(tree.root()),
                                .server = server,
                                .shards = shards,
                                .offers_napi = offers_napi})) {
    text += line.name + " | " + line.offered + " | " + line.used + "\n";
  }
  return text;
}

#define EXPECT_SAYS(text, phrase) \
  EXPECT_NE((text).find(phrase), std::string::npos) << (phrase) << "\n" << (text)

TEST(Placement, AMachineInOrderHasNothingToGain) {
  MachineTree tree;
  tree.write_cores(4);
  tree.write_pci_card("eth0", {{27, "eth0-TxRx-0", "2", "2"}, {28, "eth0-TxRx-1", "3", "3"}});
  tree.write("sys/devices/system/cpu/isolated", "2-3\n");
  tree.write("sys/devices/system/cpu/nohz_full", "2-3\n");
  for (const char* core : {"0", "1", "2", "3"}) {
    tree.write(std::string("sys/devices/system/cpu/cpu") + core + "/cpufreq/scaling_governor",
               "performance\n");
  }
  tree.write("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n");
  const std::string text = doctor(tree, pinned({2, 3}), 2);
  EXPECT_SAYS(text, "shards | 2 shards, on core 2-3 | each has a core of its own");
  EXPECT_SAYS(text, "isolated cores | core 2-3 | nothing else runs where shards do");
  EXPECT_SAYS(text, "CPU governor | performance | cores do not slow down");
  EXPECT_SAYS(text, "steering | by core |");
  EXPECT_SAYS(text, "  eth0 | 2 RX queues on core 2-3 | where the shards are");
  EXPECT_SAYS(text, "irqbalance | does not run");
  EXPECT_SAYS(text, "huge pages | transparent: always; reserved: 0 | 4 MiB a shard");
}

TEST(Placement, CommandsForWhatIsNot) {
  MachineTree tree;
  tree.write_cores(4);
  tree.write_pci_card("eth0", {{27, "eth0-TxRx-0", "0-3", "0"}, {28, "eth0-TxRx-1", "0-3", "0"}});
  tree.write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
  tree.write("proc/812/comm", "irqbalance\n");
  tree.write("sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
  const std::string text = doctor(tree, pinned({2, 3}), 2);
  EXPECT_SAYS(text, "steering | by hash | eth0's interrupts may go to several cores");
  EXPECT_SAYS(text, "2 RX queues on core 0 at present");
  EXPECT_SAYS(
      text, "`echo 2 > /proc/irq/27/smp_affinity_list`, `echo 3 > /proc/irq/28/smp_affinity_list`");
  EXPECT_SAYS(text, "`isolcpus=managed_irq,domain,2-3 nohz_full=2-3 rcu_nocbs=2-3`");
  EXPECT_SAYS(text, "CPU governor | powersave | cores wake slowly");
  EXPECT_SAYS(text, "`cpupower frequency-set -g performance`");
  EXPECT_SAYS(text, "`systemctl disable --now irqbalance`");
  EXPECT_SAYS(text, "IRQBALANCE_BANNED_CPULIST=2-3");
  EXPECT_SAYS(text, "`echo madvise > /sys/kernel/mm/transparent_hugepage/enabled`");
}

TEST(Placement, FewerQueuesThanShards) {
  MachineTree tree;
  tree.write_cores(4);
  tree.write_virtual_card("eth0", "virtio2", {{38, "virtio2-input.0", "0", "0"}});
  const std::string text = doctor(tree, pinned({1, 2, 3}), 3);
  EXPECT_SAYS(text, "1 RX queue on core 0 |");
  EXPECT_SAYS(text, "`ethtool -L eth0 combined 3`");
  EXPECT_SAYS(text, "`echo e > /sys/class/net/eth0/queues/rx-0/rps_cpus`");
}

TEST(Placement, UnpinnedShardsAreToldWhereTheyCouldBe) {
  MachineTree tree;
  tree.write_cores(4);
  for (const char* core : {"0", "2"}) {
    tree.write(std::string("sys/devices/system/cpu/cpu") + core + "/topology/thread_siblings_list",
               "0,2\n");
  }
  EXPECT_SAYS(doctor(tree, {}, 1), "1 shard, not pinned");
  // One thread of each core first.
  EXPECT_SAYS(doctor(tree, {}, 3), "`server.shards = 3`, `server.pin = [0, 1, 3]`");
  EXPECT_SAYS(doctor(tree, {}, 9), "`server.shards = 4`, `server.pin = [0, 1, 2, 3]`");
  EXPECT_SAYS(doctor(tree, {}, 4), "no core is left for others");
  tree.write("sys/devices/system/cpu/isolated", "2-3\n");
  EXPECT_SAYS(doctor(tree, {}, 2), "`server.pin = [2, 3]`");
}

TEST(Placement, ThreadsOfOneCoreAndCoresThatAreNotThere) {
  MachineTree tree;
  tree.write_cores(4);
  for (const char* core : {"0", "2"}) {
    tree.write(std::string("sys/devices/system/cpu/cpu") + core + "/topology/thread_siblings_list",
               "0,2\n");
  }
  EXPECT_SAYS(doctor(tree, pinned({2, 0}), 2),
              "0 and 2 are threads of one core and share it: `server.pin = [1, 3]`");
  EXPECT_SAYS(doctor(tree, pinned({1, 7}), 2), "core 7 is not online");
}

TEST(Placement, ReservedPages) {
  MachineTree tree;
  tree.write_cores(2);
  tree.write("proc/meminfo",
             "HugePages_Total:       6\nHugePages_Free:        1\nHugepagesize:       2048 kB\n");
  ServerOptions server;
  server.huge_pages = HugePages::kOn;
  // Five are somebody's.
  EXPECT_SAYS(doctor(tree, server, 2), "rings need 4 reserved ones: `sysctl vm.nr_hugepages=9`");
  tree.write("proc/meminfo",
             "HugePages_Total:       6\nHugePages_Free:        4\nHugepagesize:       2048 kB\n");
  EXPECT_SAYS(doctor(tree, server, 2), "reserved ones for rings");
  server.huge_pages = HugePages::kOff;
  EXPECT_SAYS(doctor(tree, server, 2), "server.huge_pages is \"off\"");
}

TEST(Placement, BusyPolling) {
  const MachineTree tree;
  ServerOptions server;
  EXPECT_SAYS(doctor(tree, server, 1), "NAPI busy polling | offered | off; `server.napi_busy_poll");
  EXPECT_SAYS(doctor(tree, server, 1, false), "NAPI busy polling | not offered (kernel 6.9) | off");
  server.napi_busy_poll_us = 50;
  EXPECT_SAYS(doctor(tree, server, 1), "| 50 us before a shard sleeps; the core always looks busy");
  EXPECT_SAYS(doctor(tree, server, 1, false), "asked for, and NOT in force");
}

TEST(PlacementLine, TellsWhatCameOfIt) {
  ServerOptions server;
  const SteeringChoice by_hash{false, "shards are not pinned"};
  std::array<ShardPlace, 2> shards{};
  EXPECT_EQ(placement_line(server, by_hash, shards, 8 << 20),
            "placement: shards not pinned; connections by hash (shards are not pinned); huge pages "
            "8.0 MiB; NAPI busy polling off");
  server = pinned({3, 5});
  server.napi_busy_poll_us = 50;
  shards[0].is_pinned = true;
  const SteeringChoice by_core{true, "server.steering is \"core\""};
  EXPECT_EQ(placement_line(server, by_core, shards, std::nullopt),
            "placement: shards on cores 3, NOT on 5; connections by core (server.steering is "
            "\"core\"); huge pages not known; NAPI busy polling 50 us");
  shards[1] = {.is_pinned = true, .steering_error = EPERM, .napi_error = EINVAL};
  EXPECT_EQ(placement_line(server, by_core, shards, 0),
            "placement: shards on cores 3, 5; connections by hash (steering by core: Operation not "
            "permitted); huge pages 0.0 MiB; NAPI busy polling NOT in force (Invalid argument; "
            "kernel 6.9)");
}

}  // namespace
}  // namespace leat::control
