// SPDX-License-Identifier: Apache-2.0
//
// The little of node's test modules that the tests use, so that its whole type package is not needed.

declare module 'node:test' {
    export function test(name: string, run: () => void | Promise<void>): void;
}

declare module 'node:assert/strict' {
    interface Assert {
        equal(actual: unknown, expected: unknown, message?: string): void;
        deepEqual(actual: unknown, expected: unknown, message?: string): void;
        ok(value: unknown, message?: string): void;
    }
    const assert: Assert;
    export default assert;
}
