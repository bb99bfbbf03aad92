import ArgumentParser
import ContinuityAPI

struct OpenAPICommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "openapi",
        abstract: "Print the OpenAPI document of the server's interface, as 'serve' answers it.")

    func run() { print(String(decoding: OpenAPIDocument.bytes, as: UTF8.self)) }
}
