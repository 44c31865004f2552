// The command line's way to the daemon: one command, one answer, over the control socket.
// Where no daemon runs, the commands that only need the ledger take the instance lock and are done here.
// Blocking; the command line's thread.
#pragma once

#include "config/settings.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <optional>
#include <string>

namespace connector::control {

struct Answer {
    int exit_code = 0;  // the operator contract's: 0 done, 1 failed, 2 usage, 3 fault found, 75 try again later
    std::string error;  // one line, where exit_code is not 0
    boost::json::value result;
};

// Commands and what they answer (times RFC 3339, absent = null):
// status {} -> what /healthz says, and heldBy{reason:n}, limits[{limit,used,max}], choices[{name,value,ok,note}], pid.
//   Without a daemon: status "stopped".
// requests.list {stage?,user?,device?,since?,after?,limit?} ->
// {requests:[{id,kind,stage,user,device,acceptedAt,updatedAt,
//   dueAt,tries,heldReason,code}], next}
// requests.show {id} -> one of these with leaseId, orderHash, heldDetail, heldSince, failure{code,message,retryable},
// outcome,
//   key (SPKI SHA-256 of the device), recipientCertificate (SHA-256), person{userPrincipalName,mail}, order{…}
// requests.retry {id} · requests.abandon {id} · requests.approve {id,key} -> {id,stage}
// recipients.list {} -> {recipients:[{device,user,userPrincipalName,key,source,firstSeen,lastSeen}],
//   blocks:[{thing,value,by,since}], window:{opened,until,max,used,by}|null}
// recipients.window {until,max} -> {until,max} · recipients.block {device?|user?|key?} -> {thing,value}
// issued.list {limit?} ->
// {issued:[{authority,issuer,serialNumber,sha256,user,device,request,issuedAt,notAfter,revokedAt}]} limits.show {} ->
// {limits:[{limit,used,max}]} · audit.anchor {} -> {sequence,link}|null issued.revoked {issuer,serialNumber,reason} ->
// {known,already,request,user,device}: an authority has revoked it authority.list {} ->
// {authorities:[{name,type,state,since,inFlight,concurrency,lastSuccessAt,parkedUntil}]}; state: unknown, up,
//   down (does not answer), parked (refuses our credential) · authority.test {name} -> as doctor, of that one
// authority.resume {name} -> {name,was,dueNow}. These three need a daemon.
// doctor {} -> {checks:[{area,name,verdict,detail,mend}]}: what needs the daemon's secrets (daemon/doctor/check.hpp)
[[nodiscard]] Answer call(const config::Settings& settings, const std::string& command,
                          const boost::json::object& arguments);

// The same of a running daemon alone: nullopt where none listens. Takes no lock and opens nothing.
[[nodiscard]] std::optional<Answer> ask_running(const config::Settings& settings, const std::string& command,
                                                const boost::json::object& arguments);

}  // namespace connector::control
