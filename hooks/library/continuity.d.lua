---@meta
-- The whole ctx of hooks/v1. Generated from the catalogue of capabilities in
-- Sources/ContinuityHooks/Capabilities: do not edit.

--- A handle to a secret. Its value never reaches the script.
---@class continuity.Secret

---@alias continuity.Text string|continuity.Secret|(string|continuity.Secret)[]

--- A service as its agent last reported it.
---@class continuity.Service
---@field state "running"|"stopped"|"failing"|"unknown"
---@field role "primary"|"secondary"|"unknown"
---@field position_bytes? integer where its copy of the data ends
---@field lag_ms? integer how far it is behind, as it says itself
---@field streaming boolean
---@field detail string why the state is what it is; empty when all is well
---@field fenced? boolean whether its agent stopped it because its lease had ended
---@field synchronous? boolean whether a write is acknowledged only once another node holds it

--- A member of the cluster.
---@class continuity.Node
---@field node_id string
---@field region string
---@field site string
---@field role "primary"|"secondary"|"witness"
---@field status "healthy"|"degraded"|"failed"|"unknown"
---@field priority integer
---@field capacity integer
---@field metadata table<string, string>
---@field service? continuity.Service
---@field heard_ms_ago? integer since its last report
---@field weight? integer its share of the load, of an active/active cluster

--- The cluster.
---@class continuity.Cluster
---@field cluster_id string
---@field name string
---@field state string
---@field primary_node_id string
---@field nodes continuity.Node[]

--- One step of a plan.
---@class continuity.PlannedAction
---@field action "demote"|"promote"|"dns_flip"|"notify"|"verify"|"restart"
---@field node_id string
---@field estimated_ms integer
---@field hooks string[]

--- How a policy pack rates the nodes.
---@class continuity.TargetScores
---@field pack string
---@field scores table<string, integer>

--- A node's share of the load.
---@class continuity.NodeWeight
---@field node_id string
---@field weight integer

--- A node that was not chosen, and why.
---@class continuity.PassedOver
---@field node_id string
---@field reason string

--- The plan that is carried out.
---@class continuity.Plan
---@field plan_id string
---@field cluster_id string
---@field policy_id string
---@field kind "failover"|"switchover"|"restart"|"rebalance"|"adopt"
---@field trigger_reason string
---@field primary_node_id string
---@field failover_target_id string
---@field actions continuity.PlannedAction[]
---@field estimated_total_ms integer
---@field max_failover_time_ms integer
---@field target_scores? continuity.TargetScores[]
---@field passed_over? continuity.PassedOver[] nodes that failed as targets lately
---@field weights? continuity.NodeWeight[] of an active/active cluster
---@field shed_permille? integer what nobody can bear, of an active/active cluster

--- The run.
---@class continuity.Run
---@field run_id string
---@field kind "failover"|"switchover"|"restart"|"rebalance"|"adopt"
---@field trigger string
---@field requested_by string
---@field reason string

--- Why the confidence is below 100.
---@class continuity.Deduction
---@field check string
---@field points integer
---@field evidence string

--- What the verification found.
---@class continuity.Verification
---@field confidence integer from 0 to 100
---@field band "very_high"|"high"|"medium"|"low"
---@field deductions continuity.Deduction[]

---@class continuity.HTTPRequest
---@field method "DELETE"|"GET"|"HEAD"|"PATCH"|"POST"|"PUT" the method
---@field url continuity.Text an absolute URL
---@field headers? table<string, continuity.Text> header fields by name; a value may be joined from texts and secrets
---@field body? continuity.Text the body as text
---@field json? any the body as a value; secrets may stand in it
---@field timeout_ms? integer milliseconds for the whole exchange, 1 to 30000; 5000 when absent

---@class continuity.HTTPResponse
---@field status integer the status code, whatever it says
---@field headers table<string, string> header fields by lower-case name
---@field body string the body as text
---@field json? any the body's value where it is JSON; fractions come as texts
---@field withheld? string there when the answer held a secret: why headers and body are empty

---@class continuity.HTTPOptions
---@field headers? table<string, continuity.Text> header fields by name; a value may be joined from texts and secrets
---@field body? continuity.Text the body as text
---@field json? any the body as a value; secrets may stand in it
---@field timeout_ms? integer milliseconds for the whole exchange, 1 to 30000; 5000 when absent

---@class continuity.DNSRecord
---@field name string the owner
---@field ttl integer seconds
---@field type string the type
---@field data string as in a zone file

---@class continuity.DNSAnswer
---@field status string NOERROR, NXDOMAIN, …
---@field records continuity.DNSRecord[] the answer section

---@class continuity.DNSPrerequisite
---@field name string a full name
---@field type? "A"|"AAAA"|"CNAME"|"SRV"|"TXT" a record type
---@field exists? boolean false: no such name or record may exist. Otherwise one must
---@field data? string[] the records must be exactly these

---@class continuity.DNSUpdate
---@field zone string the zone
---@field name string the full name to change
---@field type "A"|"AAAA"|"CNAME"|"SRV"|"TXT" the record type
---@field ttl? integer seconds, 0 to 604800; 60
---@field data string[] the records afterwards, in place of all of this name and type
---@field prerequisites? continuity.DNSPrerequisite[] what must hold, or nothing is changed

---@class continuity.AgentOptions
---@field timeout_ms? integer 1 to 30000; 3000

---@class continuity.AgentAnswer
---@field detail string for people
---@field service? any the service as in ctx.target.service, read just now
---@field output? string what a program of the agent's own printed

---@class continuity.AgentReading
---@field output string what the program printed
---@field json? any its value where it is JSON; fractions come as texts

---@class continuity.Notification
---@field summary string one line for people
---@field severity? "info"|"warning"|"critical" info when absent
---@field data? table<string, any> for machines

---@class continuity.handle.agent
---@field command fun(node_id: string, command: string, options?: continuity.AgentOptions): continuity.AgentAnswer?, string?, string? Has an agent carry out a command by name, under the run's epoch and a key of its own. Codes: failed, refused, withheld, timed_out, unreachable.
---@field read fun(node_id: string, name: string, options?: continuity.AgentOptions): continuity.AgentReading?, string?, string? Has an agent run one of its own programs that only read. Drills do it too. Codes: failed, refused, withheld, timed_out, unreachable.

---@class continuity.handle.dns
---@field lookup fun(name: string, type: "A"|"AAAA"|"CNAME"|"SRV"|"TXT"): continuity.DNSAnswer?, string?, string? Asks the granted server, and nobody else, for records. Codes: timed_out, withheld.
---@field update fun(update: continuity.DNSUpdate): boolean?, string?, string? Replaces the records of one name and type, all or nothing (RFC 2136), signed with the key that the grant names. Codes: prerequisite_failed, refused, in_doubt.

---@class continuity.handle.haproxy
---@field command fun(address: string, command: string): string?, string?, string? Sends one command to HAProxy's runtime API and gives its answer. `show` and `get` are reads, all others effects. Codes: unreachable, in_doubt, withheld.

---@class continuity.handle.http
---@field request fun(request: continuity.HTTPRequest): continuity.HTTPResponse?, string?, string? Sends a request. GET and HEAD are reads, all others effects. Codes: address_refused, tls, timed_out, unreachable, in_doubt, too_large, bad_response.
---@field get fun(url: continuity.Text, options?: continuity.HTTPOptions): continuity.HTTPResponse?, string?, string? Sends a GET request. Codes: address_refused, tls, timed_out, unreachable, in_doubt, too_large, bad_response.
---@field head fun(url: continuity.Text, options?: continuity.HTTPOptions): continuity.HTTPResponse?, string?, string? Sends a HEAD request. Codes: address_refused, tls, timed_out, unreachable, in_doubt, too_large, bad_response.
---@field delete fun(url: continuity.Text, options?: continuity.HTTPOptions): continuity.HTTPResponse?, string?, string? Sends a DELETE request. Codes: address_refused, tls, timed_out, unreachable, in_doubt, too_large, bad_response.
---@field patch fun(url: continuity.Text, options?: continuity.HTTPOptions): continuity.HTTPResponse?, string?, string? Sends a PATCH request. Codes: address_refused, tls, timed_out, unreachable, in_doubt, too_large, bad_response.
---@field post fun(url: continuity.Text, options?: continuity.HTTPOptions): continuity.HTTPResponse?, string?, string? Sends a POST request. Codes: address_refused, tls, timed_out, unreachable, in_doubt, too_large, bad_response.
---@field put fun(url: continuity.Text, options?: continuity.HTTPOptions): continuity.HTTPResponse?, string?, string? Sends a PUT request. Codes: address_refused, tls, timed_out, unreachable, in_doubt, too_large, bad_response.

--- What a hook function is given.
---@class continuity.Context
---@field api string
---@field stage string
---@field drill boolean whether this is a drill
---@field now_ms integer when the call was made, UTC milliseconds since 1970
---@field deadline integer when the call must have ended, on the same clock
---@field deadline_ms integer the same as deadline
---@field epoch integer of the leadership; it only grows
---@field idempotency_key string names this call, the same when it is repeated
---@field cluster continuity.Cluster
---@field plan continuity.Plan
---@field run continuity.Run
---@field target? continuity.Node
---@field primary? continuity.Node
---@field verification? continuity.Verification
---@field log fun(...: any) Records one line.
---@field agent continuity.handle.agent
---@field dns continuity.handle.dns
---@field haproxy continuity.handle.haproxy
---@field http continuity.handle.http
---@field now fun(): integer?, string?, string? The broker's clock: UTC milliseconds since 1970.
---@field notify fun(channel: string, message: continuity.Notification): boolean?, string?, string? Queues an alert. It is durable before the call returns, and is delivered at least once.
---@field secret fun(name: string): continuity.Secret?, string?, string? A handle to a secret, for the headers, URL, body or json of a request to the host that the secret is bound to. The script never holds the value.
