// Round trip: what clients that were generated from the document say to a service at an address, and understand.
import createClient from "openapi-fetch";
import * as sdk from "./sdk";
import { createClient as createSdkClient, createConfig } from "./sdk/client";
import type { Problem, UserCreate, UserRead, UserReadCursorPage, UserReadPage, UserUpdate } from "./sdk";
import type { paths } from "./users";

type Answer<T> = Promise<{ data?: T; error?: Problem; response: Response }>;
interface Users {
    create(body: UserCreate): Answer<UserRead>;
    list(query: { size: number; cursor?: string }): Answer<UserReadPage | UserReadCursorPage>;
    update(user_id: number, body: UserUpdate, tag: string): Answer<UserRead>;
    remove(user_id: number): Answer<unknown>;
}

function byFetch(baseUrl: string): Users {
    const client = createClient<paths>({ baseUrl });
    return {
        create: (body) => client.POST("/users", { body }),
        list: (query) => client.GET("/users", { params: { query } }),
        update: (user_id, body, tag) =>
            client.PATCH("/users/{user_id}", { params: { path: { user_id }, header: { "If-Match": tag } }, body }),
        remove: (user_id) => client.DELETE("/users/{user_id}", { params: { path: { user_id } } }),
    };
}

function bySdk(baseUrl: string): Users {
    const client = createSdkClient(createConfig({ baseUrl }));
    return {
        create: (body) => sdk.usersCreate({ client, body }),
        list: (query) => sdk.usersList({ client, query }),
        update: (user_id, body, tag) =>
            sdk.usersUpdate({ client, path: { user_id }, headers: { "If-Match": tag }, body }),
        remove: (user_id) => sdk.usersRemove({ client, path: { user_id } }),
    };
}

function claim(holds: unknown, seen: unknown): asserts holds {
    if (!holds) throw new Error(JSON.stringify(seen));
}

async function travel(users: Users): Promise<void> {
    const created: { user: UserRead; tag: string }[] = [];
    for (const name of ["ada", "bob"]) {
        const answer = await users.create({ name, email: `${name}@example.com`, password: "correct horse" });
        claim(answer.response.status === 201 && answer.data, answer);
        created.push({ user: answer.data, tag: answer.response.headers.get("etag") ?? "" });
    }
    const [ada, bob] = created;

    const page = (await users.list({ size: 1 })).data;
    claim(page && "total" in page && page.total === 2 && page.pages === 2 && page.items[0].name === "ada", page);

    const names: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
        const some: UserReadPage | UserReadCursorPage | undefined = (await users.list({ size: 1, cursor })).data;
        claim(some && "next_cursor" in some, some);
        names.push(...some.items.map((user) => user.name));
        cursor = some.next_cursor;
    }
    claim(names.join() === "ada,bob", names);

    const changed = await users.update(bob.user.id, { name: "Bob" }, bob.tag);
    claim(changed.data?.id === bob.user.id && changed.data.name === "Bob", changed);
    const stale = await users.update(bob.user.id, { name: "Bob" }, bob.tag);
    claim(stale.error?.code === "precondition_failed", stale);

    const wrong = (await users.create({ name: "", email: "x", password: "short" })).error;
    claim(wrong?.status === 422 && wrong.code === "validation_error", wrong);
    claim(wrong.errors?.map((one) => one.pointer).join() === "/name,/email,/password", wrong);

    for (const { user } of [ada, bob]) claim((await users.remove(user.id)).response.status === 204, user);
}

declare const process: { argv: string[]; exitCode: number };
const address = process.argv[2];
travel(byFetch(address))
    .then(() => travel(bySdk(address)))
    .catch((error) => {
        console.error(error);
        process.exitCode = 1;
    });
