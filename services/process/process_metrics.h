// What Prometheus expects to know of any process.
#ifndef KYC_SERVICES_PROCESS_PROCESS_METRICS_H_
#define KYC_SERVICES_PROCESS_PROCESS_METRICS_H_

namespace kyc::process {

// Exports process_resident_memory_bytes, process_open_fds,
// process_cpu_seconds_total, process_start_time_seconds, which are read when
// metrics are, and kyc_build_info{version}.
void ExportProcessMetrics();

}  // namespace kyc::process

#endif  // KYC_SERVICES_PROCESS_PROCESS_METRICS_H_
