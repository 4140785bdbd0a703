#include "cores.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "failures.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace elman {
namespace {

int all_cores() {
  unsigned n = std::thread::hardware_concurrency();
  return n ? int(n) : 1;
}

// The cores that a quota and a period in microseconds come to, rounded up; 0 where `text` holds none ("max", -1).
int quota_cores(std::istream& text) {
  long quota = 0, period = 0;
  if (!(text >> quota >> period) || quota <= 0 || period <= 0) return 0;
  return int((quota - 1) / period + 1);
}

// A whole number in 1 .. 1024 in the environment, or 0. (Python reports a bad ELMAN_THREADS.)
int number_in(const char* name) {
  const char* text = std::getenv(name);
  if (!text || !*text) return 0;
  char* end;
  long value = std::strtol(text, &end, 10);
  return !*end && value >= 1 && value <= 1024 ? int(value) : 0;
}

}  // namespace

#if defined(_WIN32)
bool start_thread(void* (*run)(void*), void* given) {
  bool started = false;
  Failure().catch_from([&] { std::thread(run, given).detach(), started = true; });
  return started;
}
#else
bool start_thread(void* (*run)(void*), void* given) {
  pthread_t thread;
  return pthread_create(&thread, nullptr, run, given) == 0 && pthread_detach(thread) == 0;
}
#endif

int cgroup_limit(const std::string& self, const std::string& root) {
  int limit = 0;
  auto take = [&](int cores) {
    if (cores && (!limit || cores < limit)) limit = cores;
  };
  // A group's own quota and those of the groups above it. Inside a container the path may be the host's, of which
  // only the root is to be seen: what is missing sets nothing.
  auto climb = [&](std::string path, auto&& quota_of) {
    while (!path.empty() && path.back() == '/') path.pop_back();
    for (;; path.resize(path.rfind('/'))) {
      take(quota_of(path));
      if (path.empty() || path.rfind('/') == std::string::npos) return;
    }
  };
  std::istringstream lines(self);
  for (std::string line; std::getline(lines, line);) {  // number:controllers:path
    size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) {  // version 2
      climb(path, [&](const std::string& group) {
        std::ifstream file(root + group + "/cpu.max");
        return quota_cores(file);
      });
    } else if (("," + controllers + ",").find(",cpu,") != std::string::npos) {  // version 1
      for (const std::string& mount : {controllers, std::string("cpu")})
        climb(path, [&](const std::string& group) {
          std::ifstream quota(root + "/" + mount + group + "/cpu.cfs_quota_us");
          std::ifstream period(root + "/" + mount + group + "/cpu.cfs_period_us");
          std::stringstream both;
          both << quota.rdbuf() << ' ' << period.rdbuf();
          return quota_cores(both);
        });
    }
  }
  return limit;
}

int default_threads(int cores) {
  if (int threads = number_in("ELMAN_THREADS")) return threads;
  int ranks = number_in("LOCAL_WORLD_SIZE");
  return ranks && ranks <= cores ? cores / ranks : ranks ? 1 : cores;
}

#if defined(__linux__)
int usable_cores() {
  cpu_set_t set;
  // It fails where the machine has more cores than the set has room for.
  int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : all_cores();
  std::ostringstream self;
  self << std::ifstream("/proc/self/cgroup").rdbuf() << "0::/\n";  // and the root, where there is no /proc
  int limit = cgroup_limit(self.str(), "/sys/fs/cgroup");
  if (limit && limit < cores) cores = limit;
  return cores < 1 ? 1 : cores;
}
Cores process_cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) CPU_ZERO(&set);
  return set;
}
int current_core() { return sched_getcpu(); }
void leave_core(int core, Cores set) {
  if (core >= CPU_SETSIZE) return;
  CPU_CLR(core, &set);
  if (CPU_COUNT(&set) > 0) sched_setaffinity(0, sizeof set, &set);
}
#else
int usable_cores() { return all_cores(); }
Cores process_cores() { return {}; }
int current_core() { return -1; }
void leave_core(int, Cores) {}
#endif

}  // namespace elman
