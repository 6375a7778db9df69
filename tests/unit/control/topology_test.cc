// SPDX-License-Identifier: Apache-2.0
// Goal: what is told of cores, interrupts and pages is what the kernel's files say, in the forms
// that kernels and drivers write them in; where a file is missing, nothing is made up.
// Method: small trees of /proc and /sys in a folder; the real ones read once.
#include "control/topology.h"

#include <gtest/gtest.h>

#include "machine_tree.h"

namespace leat::control {
namespace {

TEST(CoreList, ReadsWhatKernelsWrite) {
  EXPECT_EQ(parse_core_list("0-3,8\n"), (CoreSet{0, 1, 2, 3, 8}));
  EXPECT_EQ(parse_core_list("5"), CoreSet{5});
  EXPECT_EQ(parse_core_list("8,0-1,1"), (CoreSet{0, 1, 8}));
  for (const char* nothing : {"", "\n", "(null)", "a", "1-", "-1", "1,,2", "0-99999999", "3-1"}) {
    EXPECT_EQ(parse_core_list(nothing), CoreSet{}) << nothing;
  }
}

TEST(CoreMask, ReadsWhatKernelsWrite) {
  EXPECT_EQ(parse_core_mask("00000000,0000000f\n"), (CoreSet{0, 1, 2, 3}));
  EXPECT_EQ(parse_core_mask("1,80000000"), (CoreSet{31, 32}));
  for (const char* nothing : {"", "0", "x", "00000000,00000000", "1,,2", "100000000"}) {
    EXPECT_EQ(parse_core_mask(nothing), CoreSet{}) << nothing;
  }
}

TEST(CoreSets, AreWrittenAsTheyAreRead) {
  for (const CoreSet& cores :
       {CoreSet{0}, CoreSet{0, 1, 2, 8}, CoreSet{31, 32}, CoreSet{64, 100}}) {
    EXPECT_EQ(parse_core_list(core_list_text(cores)), cores);
    EXPECT_EQ(parse_core_mask(core_mask_text(cores)), cores);
  }
  EXPECT_EQ(core_list_text({0, 1, 2, 8}), "0-2,8");
  EXPECT_EQ(core_list_text({}), "none");
  EXPECT_EQ(core_mask_text({0, 33}), "2,00000001");
  EXPECT_EQ(core_mask_text({}), "0");
}

TEST(Topology, CoresAndWhatSharesThem) {
  MachineTree tree;
  tree.write("sys/devices/system/cpu/online", "0-3\n");
  tree.write("sys/devices/system/cpu/isolated", "2-3\n");
  tree.write("sys/devices/system/cpu/nohz_full", "(null)\n");
  tree.write("sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "0,2\n");
  tree.write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "schedutil\n");
  const Topology topology = read_topology(tree.root());
  ASSERT_EQ(topology.cores.size(), 4u);
  EXPECT_EQ(topology.cores[0].siblings, (CoreSet{0, 2}));
  EXPECT_EQ(topology.cores[0].governor, "schedutil");
  EXPECT_EQ(topology.cores[3].siblings, CoreSet{});
  EXPECT_EQ(topology.isolated, (CoreSet{2, 3}));
  EXPECT_EQ(topology.undisturbed, CoreSet{});
  EXPECT_EQ(topology.core(3)->number, 3u);
  EXPECT_EQ(topology.core(4), nullptr);
}

TEST(Topology, InterruptsOfACardWithQueues) {
  MachineTree tree;
  tree.write_pci_card("ens5", {{40, "ens5-mgmnt@pci:0000:00:05.0", "0-7", "0"},
                               {41, "ens5-Tx-Rx-0", "2", "2"},
                               {42, "ens5-Tx-Rx-1", "3", "3"}});
  tree.write("proc/interrupts", tree.interrupts() + " 99:  1  2  PCI-MSI 1-edge  nvme0q1\n");
  const Topology topology = read_topology(tree.root());
  ASSERT_EQ(topology.cards.size(), 1u);
  const NetworkCard& card = topology.cards[0];
  EXPECT_EQ(card.name, "ens5");
  EXPECT_EQ(card.rx_queues, 2u);
  ASSERT_EQ(card.interrupts.size(), 2u);
  EXPECT_EQ(card.interrupts[0].number, 41u);
  EXPECT_EQ(card.interrupts[1].name, "ens5-Tx-Rx-1");
  EXPECT_TRUE(card.is_pinned());
  EXPECT_EQ(card.cores(), (CoreSet{2, 3}));
}

// A card of a hypervisor: its interrupts stand at the PCI device above it, under its own name.
TEST(Topology, InterruptsOfAVirtualCard) {
  MachineTree tree;
  tree.write_virtual_card("eth0", "virtio2",
                          {{37, "virtio2-config", "0-1", "0"},
                           {38, "virtio2-input.0", "0-1", "1"},
                           {39, "virtio2-output.0", "0-1", "0"}});
  const Topology topology = read_topology(tree.root());
  ASSERT_EQ(topology.cards.size(), 1u);
  ASSERT_EQ(topology.cards[0].interrupts.size(), 1u);
  EXPECT_EQ(topology.cards[0].interrupts[0].name, "virtio2-input.0");
  EXPECT_FALSE(topology.cards[0].is_pinned());
  EXPECT_EQ(topology.cards[0].cores(), CoreSet{1});  // where it goes at present
}

TEST(Topology, QueuesSpreadBySoftware) {
  MachineTree tree;
  tree.write_virtual_card("eth0", "virtio2", {{38, "virtio2-input.0", "0", "0"}});
  tree.write("sys/class/net/eth0/queues/rx-0/rps_cpus", "6\n");
  const Topology topology = read_topology(tree.root());
  EXPECT_EQ(topology.cards.at(0).cores(), (CoreSet{1, 2}));
}

TEST(Topology, OnlyCardsThatAreUp) {
  MachineTree tree;
  tree.write("sys/class/net/lo/operstate", "unknown\n");
  tree.write("sys/class/net/br0/operstate", "up\n");
  tree.write_pci_card("eth1", {{50, "eth1-rx-0", "0", "0"}});
  tree.write("sys/class/net/eth1/operstate", "down\n");
  EXPECT_TRUE(read_topology(tree.root()).cards.empty());
}

TEST(Topology, ProgramsAndPages) {
  MachineTree tree;
  EXPECT_FALSE(read_topology(tree.root()).irqbalance_runs);
  tree.write("proc/1/comm", "systemd\n");
  tree.write("proc/self/comm", "irqbalance\n");  // a name, no process's number
  EXPECT_FALSE(read_topology(tree.root()).irqbalance_runs);
  tree.write("proc/812/comm", "irqbalance\n");
  tree.write("proc/meminfo",
             "MemTotal: 1 kB\nHugePages_Total:      16\nHugePages_Free:        9\n"
             "Hugepagesize:       2048 kB\n");
  tree.write("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
  const Topology topology = read_topology(tree.root());
  EXPECT_TRUE(topology.irqbalance_runs);
  EXPECT_EQ(topology.huge_pages.transparent, "madvise");
  EXPECT_EQ(topology.huge_pages.reserved, 16u);
  EXPECT_EQ(topology.huge_pages.reserved_free, 9u);
  EXPECT_EQ(topology.huge_pages.reserved_kib, 2048u);
}

TEST(Topology, OwnHugePages) {
  MachineTree tree;
  EXPECT_EQ(huge_page_bytes(tree.root()), std::nullopt);
  tree.write("proc/self/smaps_rollup",
             "Rss:      9000 kB\nAnonHugePages:      4096 kB\nPrivate_Hugetlb:     2048 kB\n");
  EXPECT_EQ(huge_page_bytes(tree.root()), 6144u * 1024);
}

TEST(Topology, OfNothingIsEmpty) {
  MachineTree tree;
  const Topology topology = read_topology(tree.root());
  EXPECT_TRUE(topology.cores.empty());
  EXPECT_TRUE(topology.cards.empty());
  EXPECT_EQ(topology.huge_pages.transparent, "");
  EXPECT_TRUE(read_topology(tree.root() + "/nowhere").cores.empty());
}

TEST(Topology, ReadsThisMachine) {
  const Topology topology = read_topology();
  EXPECT_FALSE(topology.cores.empty());
  EXPECT_TRUE(huge_page_bytes().has_value());
}

}  // namespace
}  // namespace leat::control
