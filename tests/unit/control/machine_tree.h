// SPDX-License-Identifier: Apache-2.0
// A made-up machine: files of /proc and /sys in a folder of its own, which goes with it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace leat::control {

class MachineTree {
 public:
  struct Line {
    std::uint32_t number;
    std::string name;
    std::string may_go_to;
    std::string now_goes_to;
  };

  MachineTree() {
    std::string path = testing::TempDir() + "leat-machine-XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    root_ = path;
  }
  ~MachineTree() { std::filesystem::remove_all(root_); }
  MachineTree(const MachineTree&) = delete;
  MachineTree& operator=(const MachineTree&) = delete;

  std::string root() const { return root_.string(); }
  const std::string& interrupts() const { return interrupts_; }

  void write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }

  // As many cores, each by itself.
  void write_cores(std::uint32_t count) const {
    write("sys/devices/system/cpu/online", "0-" + std::to_string(count - 1) + "\n");
    for (std::uint32_t core = 0; core < count; ++core) {
      const std::string own = std::to_string(core);
      write("sys/devices/system/cpu/cpu" + own + "/topology/thread_siblings_list", own + "\n");
    }
  }

  // One that has its interrupts at its own device; a queue for each that has "Rx" in its name.
  void write_pci_card(const std::string& card, const std::vector<Line>& lines) {
    write_card(card, lines, "sys/devices/pci/" + card + "-device", "");
  }
  // One of a hypervisor, which is a device below the one that has the interrupts.
  void write_virtual_card(const std::string& card, const std::string& device,
                          const std::vector<Line>& lines) {
    write_card(card, lines, "sys/devices/pci/" + card + "-device", "/" + device);
  }

 private:
  void write_card(const std::string& card, const std::vector<Line>& lines, const std::string& pci,
                  const std::string& below) {
    namespace fs = std::filesystem;
    std::uint32_t queues = 0;
    for (const Line& line : lines) {
      const std::string number = std::to_string(line.number);
      write(pci + "/msi_irqs/" + number, "msix\n");
      write("proc/irq/" + number + "/smp_affinity_list", line.may_go_to + "\n");
      write("proc/irq/" + number + "/effective_affinity_list", line.now_goes_to + "\n");
      interrupts_ += " " + number + ":     5806   117  PCI-MSIX-0000:00:03.0   1-edge      " +
                     line.name + "\n";
      const bool receives =
          line.name.find("Rx") != std::string::npos || line.name.find("input") != std::string::npos;
      if (!receives) continue;
      write("sys/class/net/" + card + "/queues/rx-" + std::to_string(queues++) + "/rps_cpus",
            "00\n");
    }
    write("proc/interrupts", interrupts_);
    write("sys/class/net/" + card + "/operstate", "up\n");
    fs::create_directories(root_ / (pci + below));
    fs::create_directory_symlink(root_ / (pci + below),
                                 root_ / ("sys/class/net/" + card + "/device"));
  }

  std::filesystem::path root_;
  std::string interrupts_ = "           CPU0       CPU1\n";
};

}  // namespace leat::control
