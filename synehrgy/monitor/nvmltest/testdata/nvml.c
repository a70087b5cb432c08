// A management library of NVIDIA for tests. What it says is in the file that SYNEHRGY_FAKE_NVML names, read at every
// initialisation. A line is one of
//
//   init CODE                 initialisation fails with CODE
//   devices N                 it lists N devices, whatever lines there are of them
//   device INDEX UUID NAME    a device
//   INDEX KEY VALUE...        what device INDEX answers about KEY when it is asked for the first time, the second time, and so
//                             on; the last VALUE stays. !CODE is an answer that fails, ~MS one that times out after so many
//                             milliseconds
//   unplug INDEX N            from the Nth time on (0 is the first) every question about the device fails: it is lost
//   # ...                     nothing
//
// A KEY that no line speaks of is not supported. Numbers are taken as the driver's type has them, so that -5 is a power of
// 4294967291 mW. Compiled with OLD_DRIVER it lacks the functions that drivers of 2020 lack.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nvml.h"

enum { kDevices = 16, kSeries = 32, kValues = 64 };

typedef struct {
  char key[32];
  int count, asked;
  long long value[kValues];
  int code[kValues], wait[kValues];  // milliseconds
} Series;

struct nvmlDevice_st {
  char uuid[96], name[96];
  int unplugged;  // -1: never
  int count;
  Series series[kSeries];
};

static struct nvmlDevice_st devices[kDevices];
static int device_count;

static Series* series_of(struct nvmlDevice_st* d, const char* key) {
  for (int i = 0; i < d->count; i++)
    if (strcmp(d->series[i].key, key) == 0) return &d->series[i];
  return NULL;
}

// Takes "INDEX KEY VALUE...", cut into words.
static void take_series(struct nvmlDevice_st* d, const char* key, char** rest) {
  Series* s = series_of(d, key);
  if (!s && d->count < kSeries) {
    s = &d->series[d->count++];
    snprintf(s->key, sizeof s->key, "%s", key);
  }
  for (char* word; s && s->count < kValues && (word = strtok_r(NULL, " \n", rest)); s->count++) {
    s->wait[s->count] = word[0] == '~' ? atoi(word + 1) : 0;
    s->code[s->count] = word[0] == '!' ? atoi(word + 1) : word[0] == '~' ? NVML_ERROR_TIMEOUT : 0;
    s->value[s->count] = s->code[s->count] ? 0 : strtoll(word, NULL, 0);
  }
}

// Takes one line; returns the code of "init".
static int take_line(char* line) {
  char* rest = NULL;
  char* first = strtok_r(line, " \n", &rest);
  if (!first || first[0] == '#') return 0;
  char* second = strtok_r(NULL, " \n", &rest);
  if (!second) return 0;
  if (strcmp(first, "init") == 0) return atoi(second);
  if (strcmp(first, "devices") == 0) {
    device_count = atoi(second);
    return 0;
  }
  const int declares = strcmp(first, "device") == 0, unplugs = strcmp(first, "unplug") == 0;
  const int index = atoi(declares || unplugs ? second : first);
  if (index < 0 || index >= kDevices) return 0;
  struct nvmlDevice_st* d = &devices[index];
  if (declares) {
    char* uuid = strtok_r(NULL, " \n", &rest);
    char* name = strtok_r(NULL, "\n", &rest);
    snprintf(d->uuid, sizeof d->uuid, "%s", uuid ? uuid : "");
    snprintf(d->name, sizeof d->name, "%s", name ? name : "");
    if (index >= device_count) device_count = index + 1;
  } else if (unplugs) {
    char* from = strtok_r(NULL, " \n", &rest);
    d->unplugged = from ? atoi(from) : 0;
  } else {
    take_series(d, second, &rest);
  }
  return 0;
}

nvmlReturn_t nvmlInit_v2(void) {
  const char* path = getenv("SYNEHRGY_FAKE_NVML");
  FILE* script = path ? fopen(path, "r") : NULL;
  if (!script) return NVML_ERROR_DRIVER_NOT_LOADED;
  memset(devices, 0, sizeof devices);
  device_count = 0;
  for (int i = 0; i < kDevices; i++) devices[i].unplugged = -1;
  int code = 0;
  char line[4096];
  while (code == 0 && fgets(line, sizeof line, script)) code = take_line(line);
  fclose(script);
  return (nvmlReturn_t)code;
}

nvmlReturn_t nvmlShutdown(void) { return NVML_SUCCESS; }

const char* nvmlErrorString(nvmlReturn_t code) { return code == NVML_SUCCESS ? "Success" : "Failure"; }

// The next answer about a key.
static nvmlReturn_t next(nvmlDevice_t device, const char* key, long long* out) {
  struct nvmlDevice_st* d = device.handle;
  Series* s = series_of(d, key);
  if (!s || s->count == 0) return NVML_ERROR_NOT_SUPPORTED;
  const int turn = s->asked++;
  if (d->unplugged >= 0 && turn >= d->unplugged) return NVML_ERROR_GPU_IS_LOST;
  const int at = turn < s->count ? turn : s->count - 1;
  if (s->wait[at] > 0) usleep((useconds_t)s->wait[at] * 1000);
  *out = s->value[at];
  return (nvmlReturn_t)s->code[at];
}

static nvmlReturn_t next_uint(nvmlDevice_t device, const char* key, unsigned int* out) {
  long long value = 0;
  const nvmlReturn_t code = next(device, key, &value);
  *out = (unsigned int)value;
  return code;
}

static nvmlReturn_t next_ullong(nvmlDevice_t device, const char* key, unsigned long long* out) {
  long long value = 0;
  const nvmlReturn_t code = next(device, key, &value);
  *out = (unsigned long long)value;
  return code;
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int* count) {
  *count = (unsigned int)device_count;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t* device) {
  if (index >= kDevices || (int)index >= device_count) return NVML_ERROR_INVALID_ARGUMENT;
  device->handle = &devices[index];
  Series* s = series_of(device->handle, "handle");
  return s ? (nvmlReturn_t)s->code[0] : NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetHandleByUUID(const char* uuid, nvmlDevice_t* device) {
  for (int i = 0; i < kDevices && i < device_count; i++)
    if (strcmp(devices[i].uuid, uuid) == 0) return nvmlDeviceGetHandleByIndex_v2((unsigned int)i, device);
  return NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char* name, unsigned int length) {
  snprintf(name, length, "%s", device.handle->name);
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char* uuid, unsigned int length) {
  snprintf(uuid, length, "%s", device.handle->uuid);
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t* out) {
  const nvmlReturn_t code = next_uint(device, "utilization", &out->gpu);
  if (code != NVML_SUCCESS) return code;
  if (next_uint(device, "utilization.memory", &out->memory) != NVML_SUCCESS) out->memory = 0;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t* out) {
  nvmlReturn_t code = next_ullong(device, "memory.total", &out->total);
  if (code == NVML_SUCCESS) code = next_ullong(device, "memory.used", &out->used);
  out->free = out->total - out->used;
  return code;
}

nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned int* out) { return next_uint(device, "power", out); }

nvmlReturn_t nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t device, unsigned int* out) {
  return next_uint(device, "power.limit", out);
}

nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, unsigned long long* out) {
  return next_ullong(device, "energy", out);
}

nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensor, unsigned int* out) {
  return sensor == NVML_TEMPERATURE_GPU ? next_uint(device, "temperature", out) : NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, nvmlClockType_t clock, unsigned int* out) {
  if (clock == NVML_CLOCK_SM) return next_uint(device, "clock.sm", out);
  if (clock == NVML_CLOCK_MEM) return next_uint(device, "clock.memory", out);
  return NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t device, unsigned long long* out) {
  return next_ullong(device, "reasons.old", out);
}

nvmlReturn_t nvmlDeviceGetPcieThroughput(nvmlDevice_t device, nvmlPcieUtilCounter_t counter, unsigned int* out) {
  return next_uint(device, counter == NVML_PCIE_UTIL_TX_BYTES ? "pcie.sent.rate" : "pcie.received.rate", out);
}

nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, nvmlMemoryErrorType_t type, nvmlEccCounterType_t counter,
                                         unsigned long long* out) {
  if (counter != NVML_VOLATILE_ECC) return NVML_ERROR_INVALID_ARGUMENT;
  return next_ullong(device, type == NVML_MEMORY_ERROR_TYPE_CORRECTED ? "ecc.corrected" : "ecc.uncorrected", out);
}

// "process" is what this process uses, "processes" how many the driver claims to have written.
nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int* count, nvmlProcessInfo_t* out) {
  if (!series_of(device.handle, "process")) return NVML_ERROR_NOT_SUPPORTED;
  if (*count < 2) {
    *count = 2;
    return NVML_ERROR_INSUFFICIENT_SIZE;
  }
  unsigned long long used = 0;
  const nvmlReturn_t code = next_ullong(device, "process", &used);
  if (code != NVML_SUCCESS) return code;
  memset(out, 0, 2 * sizeof *out);
  out[0].pid = 1;
  out[0].usedGpuMemory = 7;
  out[1].pid = (unsigned int)getpid();
  out[1].usedGpuMemory = used;
  *count = 2;
  unsigned int claimed = 0;
  if (next_uint(device, "processes", &claimed) == NVML_SUCCESS) *count = claimed;
  return NVML_SUCCESS;
}

#ifndef OLD_DRIVER

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int* current, unsigned int* pending) {
  *pending = 0;
  return next_uint(device, "mig", current);
}

// Takes one size of the structure: "memory.version" may demand another.
nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t* out) {
  unsigned int version = nvmlMemory_v2;
  next_uint(device, "memory.version", &version);
  if (version == 0) version = nvmlMemory_v2;
  if (out->version != version) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  nvmlReturn_t code = next_ullong(device, "memory.total", &out->total);
  if (code == NVML_SUCCESS) code = next_ullong(device, "memory.used", &out->used);
  if (code != NVML_SUCCESS) return code;
  if (next_ullong(device, "memory.reserved", &out->reserved) != NVML_SUCCESS) out->reserved = 0;
  out->free = out->total - out->used - out->reserved;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t device, unsigned long long* out) {
  return next_ullong(device, "reasons", out);
}

nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, nvmlFieldValue_t* out) {
  for (int i = 0; i < count; i++) {
    const char* key = "";
    switch (out[i].fieldId) {
      case NVML_FI_DEV_PCIE_COUNT_TX_BYTES: key = "pcie.sent"; break;
      case NVML_FI_DEV_PCIE_COUNT_RX_BYTES: key = "pcie.received"; break;
      case NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX: key = "nvlink.sent"; break;
      case NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_RX: key = "nvlink.received"; break;
    }
    out[i].valueType = NVML_VALUE_TYPE_UNSIGNED_LONG_LONG;
    out[i].nvmlReturn = next_ullong(device, key, &out[i].value.ullVal);
    if (out[i].nvmlReturn == NVML_ERROR_GPU_IS_LOST) return NVML_ERROR_GPU_IS_LOST;
  }
  return NVML_SUCCESS;
}

#endif
