import ContinuityCore
import ContinuityTransport
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// A request's context that knows who asks.
struct APIContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    var caller = Caller.nobody
    /// What the request's body says, once it is held against its description.
    var body: JSONTree?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}

/// Lets only requests through whose caller may make them, by ``APIOperation`` alone.
struct AccessMiddleware: RouterMiddleware {
    let authenticator: Authenticator
    let gate: AccessGate

    func handle(
        _ request: Request, context: APIContext,
        next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        guard
            let operation = APIOperation.of(
                method: request.method.rawValue, path: context.endpointPath)
        else {
            throw Problem(.forbidden, "no-rule", "nothing is declared for this route: nobody may")
        }
        let address = context.channel.remoteAddress?.ipAddress ?? "unknown"
        try gate.admit(address: address)
        let rule = operation.rule
        guard rule.need != .anyone else {
            let release = try gate.admit(.nobody, address: address)
            defer { release() }
            return try await next(request, context)
        }
        var context = context
        let shown = authenticator.shown(request.headers, context.channel)
        try gate.checkBackoff(address, shown)
        do {
            context.caller = try authenticator.caller(request.headers, context.channel)
            gate.loggedIn(address, with: shown)
        } catch let problem as Problem {
            await gate.loginFailed(address, problem, shown)
            throw problem
        }
        try Self.authorize(context.caller, rule)
        let release = try gate.admit(context.caller, address: address)
        defer { release() }
        if case .person = context.caller.kind {
            await gate.used(context.caller, from: address)
        }
        if rule.changes { try await gate.checkNew(request.headers, of: context.caller) }
        return try await next(request, context)
    }

    private static func authorize(_ caller: Caller, _ rule: APIOperation.Rule) throws {
        switch (rule.need, caller.kind) {
        case (.anyone, _): return
        case (_, .nobody):
            throw Problem(
                .unauthorized, "unauthorized",
                "show a certificate, or send a token as 'Authorization: Bearer …'",
                headers: [.wwwAuthenticate: "Bearer"])
        case (.agent, .agent), (.agent, .shared): return
        case (.agent, .person):
            throw Problem(.forbidden, "forbidden", "only a node's agent may ask this")
        case (.role(let least), _):
            guard let role = caller.role, role >= least else {
                throw Problem(
                    .forbidden, "forbidden",
                    "the role '\(least.rawValue)' is needed, and \(caller.name) has "
                        + "'\(caller.role?.rawValue ?? "none")'")
            }
            guard !rule.isFleetWide || caller.clusters.isEmpty else {
                throw Problem(
                    .forbidden, "other-cluster",
                    "this is about all clusters, and the credential is bound to some")
            }
        }
    }
}
