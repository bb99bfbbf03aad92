import ContinuityCore
import ContinuityTransport
import Foundation
import HTTPTypes
import Hummingbird

/// Holds each request to its operation's description before the route sees it: what the document
/// does not allow is refused, and the answer names the field.
struct ContractMiddleware: RouterMiddleware {
    static let bodyBytesMax = 1 << 20

    func handle(
        _ request: Request, context: APIContext,
        next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        guard
            let operation = APIOperation.of(
                method: request.method.rawValue, path: context.endpointPath)
        else { return try await next(request, context) }
        let description = operation.description
        for parameter in description.parameters where parameter.place == .path {
            try Self.check(context.parameters.get(parameter.name), parameter)
        }
        // Time and nonce are the gate's.
        for parameter in description.parameters where parameter.place == .header {
            try Self.check(
                HTTPField.Name(parameter.name).flatMap { request.headers[$0] }, parameter)
        }
        try Self.checkQuery(of: request, description, isStrict: operation.rule.need != .anyone)
        guard let body = description.body else { return try await next(request, context) }
        var request = request
        let bytes: ByteBuffer
        do {
            bytes = try await request.collectBody(upTo: Self.bodyBytesMax)
        } catch {
            throw Problem(
                .contentTooLarge, "body-too-large",
                "the body must arrive whole, within \(Self.bodyBytesMax) bytes")
        }
        var context = context
        context.body = try Self.checked(Array(buffer: bytes), body)
        return try await next(request, context)
    }

    // MARK: Parameters

    private static func checkQuery(
        of request: Request, _ description: OperationDescription, isStrict: Bool
    ) throws {
        let given = request.uri.queryParameters
        let known = description.parameters.filter { $0.place == .query }
        for parameter in known {
            let values = given.getAll(parameter.name)
            guard values.count <= 1 else {
                throw refusal("'\(parameter.name)' stands \(values.count) times")
            }
            try check(values.first, parameter)
        }
        // A name that nobody knows is a typing error. Where anyone may ask, as those who look
        // after links and servers do, they may add what they like.
        guard isStrict,
            let unknown = given.first(where: { one in !known.contains { $0.name == one.key } })
        else { return }
        let names = known.map(\.name).sorted().joined(separator: ", ")
        throw refusal(
            "'\(Schema.shortened(String(unknown.key)))' is not known; there is: "
                + (names.isEmpty ? "nothing" : names))
    }

    private static func check(
        _ text: String?, _ parameter: OperationDescription.Parameter
    ) throws {
        guard let text else {
            if parameter.isRequired { throw refusal("'\(parameter.name)' is missing") }
            return
        }
        do throws(SchemaViolation) {
            try parameter.schema.check(
                parameter.schema.isNumber
                    ? number(text) : .string(text), at: parameter.name)
        } catch {
            throw refusal("\(error)")
        }
    }

    /// Only digits: `Int64.init` would take a sign as well.
    private static func number(_ text: String) -> JSONTree {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int64(text)
        else { return .string(text) }
        return .int(number)
    }

    private static func refusal(_ detail: String) -> Problem {
        Problem(.badRequest, "bad-parameter", detail)
    }

    // MARK: Bodies

    private static func checked(
        _ bytes: [UInt8], _ body: OperationDescription.Body
    ) throws -> JSONTree {
        do {
            let tree =
                switch body.form {
                case .json: try JSONTree(parsing: bytes)
                case .urlEncoded: try form(bytes)
                }
            try body.schema.check(tree)
            return tree
        } catch let fault as JSONFault {
            throw Problem(.badRequest, "bad-body", "the body is not the expected JSON: \(fault)")
        } catch let violation as SchemaViolation {
            throw Problem(.badRequest, "bad-body", "\(violation)")
        }
    }

    private static func form(_ bytes: [UInt8]) throws(SchemaViolation) -> JSONTree {
        var members: [(key: String, value: JSONTree)] = []
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw SchemaViolation(field: "", wish: "must be a form in UTF-8")
        }
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                .map { $0.replacing("+", with: " ").removingPercentEncoding }
            guard let name = parts.first ?? nil, let value = parts.last ?? nil, parts.count == 2,
                !members.contains(where: { $0.key == name })
            else {
                throw SchemaViolation(field: "", wish: "must be a form, each field once")
            }
            members.append((name, .string(value)))
        }
        return .object(members)
    }
}
