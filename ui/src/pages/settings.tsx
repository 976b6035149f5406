import { useQuery } from "convex/react";
import { type FormEvent, useEffect, useState } from "react";
import { request } from "../deployment/requests";
import { system } from "../deployment/system";
import { Button } from "../parts/button";
import { Confirm } from "../parts/dialog";
import { Empty, Loading, Problem } from "../parts/states";
import { Table } from "../parts/table";
import { Time } from "../parts/times";
import { useEdit } from "../parts/use_edit";
import { useSession } from "../session/session";
import { useComponent } from "../shell/component";
import { PageHead } from "../shell/shell";
import { PauseSwitch } from "./pause";

/** What a deployment is told: variables, and who may tell it. */
export default function Settings() {
  return (
    <>
      <PageHead name="Settings" />
      <div className="flex flex-col gap-8 p-5">
        <Variables />
        <Keys />
        <Components />
        <PauseSwitch />
      </div>
    </>
  );
}

async function send(key: string, path: string, body: unknown): Promise<void> {
  const headers = { "Content-Type": "application/json" };
  await request(key, path, { method: "POST", headers, body: JSON.stringify(body) });
}

function Variables() {
  const variables = useQuery(system.environmentVariables, { componentId: null });
  const { key, readOnly } = useSession();
  const { isRunning, problem, run } = useEdit();
  const [name, setName] = useState("");
  const [value, setValue] = useState("");
  const [shown, setShown] = useState<ReadonlySet<string>>(new Set());
  const [doomed, setDoomed] = useState<string | null>(null);
  const change = (changed: string, to: string | null) =>
    run(() => send(key, "/api/update_environment_variables", { changes: [{ name: changed, value: to }] }));
  const add = async (event: FormEvent) => {
    event.preventDefault();
    if (await change(name.trim(), value)) {
      setName("");
      setValue("");
    }
  };
  const field = "min-h-8 rounded-md border border-line bg-surface px-2 font-mono";
  return (
    <section aria-labelledby="variables" className="flex flex-col gap-3">
      <h2 id="variables" className="text-base font-semibold">
        Environment variables
      </h2>
      {problem !== null && <Problem>{problem}</Problem>}
      {variables === undefined ? (
        <Loading what="the variables" />
      ) : variables.length === 0 ? (
        <Empty title="No variables are set." />
      ) : (
        <Table heads={["Name", "Value", ""]} label="Environment variables">
          {variables.map((variable) => (
            <tr key={variable.name}>
              <td className="font-mono">{variable.name}</td>
              <td className="min-w-40 font-mono break-all">
                {shown.has(variable.name) ? (
                  variable.value
                ) : (
                  <Button kind="quiet" onClick={() => setShown(new Set([...shown, variable.name]))}>
                    Show the value<span className="sr-only"> of {variable.name}</span>
                  </Button>
                )}
              </td>
              <td className="text-right whitespace-nowrap">
                <Button
                  disabled={readOnly}
                  onClick={() => {
                    setName(variable.name);
                    setValue(variable.value);
                  }}
                >
                  Change
                </Button>{" "}
                <Button kind="danger" disabled={readOnly} onClick={() => setDoomed(variable.name)}>
                  Remove
                </Button>
              </td>
            </tr>
          ))}
        </Table>
      )}
      <form onSubmit={(event) => void add(event)} className="flex flex-wrap items-end gap-2">
        <label className="flex flex-col gap-1">
          Name
          <input value={name} onChange={(event) => setName(event.target.value)} className={field} spellCheck={false} />
        </label>
        <label className="flex grow flex-col gap-1">
          Value
          <input
            value={value}
            onChange={(event) => setValue(event.target.value)}
            className={field}
            spellCheck={false}
          />
        </label>
        <Button kind="primary" type="submit" disabled={readOnly || isRunning || name.trim() === ""}>
          Set
        </Button>
      </form>
      {doomed !== null && (
        <Confirm
          title={`Remove ${doomed}?`}
          verb="Remove"
          onClose={() => setDoomed(null)}
          onConfirm={() => void change(doomed, null)}
        >
          Functions that read it will not find it from then on.
        </Confirm>
      )}
    </section>
  );
}

interface AdminKey {
  keyId: string;
  name: string | null;
  issuedAt: number;
  isReadOnly: boolean;
  isRevoked: boolean;
  lastUsedAt: number | null;
}

function Keys() {
  const { key, readOnly } = useSession();
  const { problem, run } = useEdit();
  const [keys, setKeys] = useState<AdminKey[]>();
  const [doomed, setDoomed] = useState<AdminKey | null>(null);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let isCurrent = true;
    void fetch("/api/parabola/admin_keys", { headers: { Authorization: `Convex ${key}` } })
      .then((answer) => answer.json() as Promise<{ keys: AdminKey[] }>)
      .then((told) => isCurrent && setKeys(told.keys));
    return () => {
      isCurrent = false;
    };
  }, [key, turn]);
  return (
    <section aria-labelledby="keys" className="flex flex-col gap-3">
      <h2 id="keys" className="text-base font-semibold">
        Admin keys that were used
      </h2>
      {problem !== null && <Problem>{problem}</Problem>}
      {keys === undefined ? (
        <Loading what="the keys" />
      ) : keys.length === 0 ? (
        <Empty title="Only this server's own key has been used.">
          <code className="font-mono">parabola admin-key</code> makes others, with a name.
        </Empty>
      ) : (
        <Table heads={["Name", "Id", "May", "Made", "Used last", ""]} label="Admin keys">
          {keys.map((each) => (
            <tr key={each.keyId}>
              <td>{each.name ?? "–"}</td>
              <td className="font-mono">{each.keyId}</td>
              <td>{each.isReadOnly ? "read" : "everything"}</td>
              <td>
                <Time ms={each.issuedAt * 1000} />
              </td>
              <td>{each.lastUsedAt === null ? "–" : <Time ms={each.lastUsedAt * 1000} />}</td>
              <td className="text-right">
                {each.isRevoked ? (
                  <span className="text-bad">revoked</span>
                ) : (
                  <Button kind="danger" disabled={readOnly} onClick={() => setDoomed(each)}>
                    Revoke
                  </Button>
                )}
              </td>
            </tr>
          ))}
        </Table>
      )}
      {doomed !== null && (
        <Confirm
          title={`Revoke the key ${doomed.name ?? doomed.keyId}?`}
          verb="Revoke"
          onClose={() => setDoomed(null)}
          onConfirm={() =>
            void run(() => send(key, "/api/parabola/admin_keys/revoke", { keyId: doomed.keyId })).then(() =>
              setTurn(turn + 1),
            )
          }
        >
          It is never taken again, and connections that came in with it are closed. The instance’s secret stays.
        </Confirm>
      )}
    </section>
  );
}

function Components() {
  const { components = [] } = useComponent();
  if (components.length < 2) return null;
  return (
    <section aria-labelledby="components" className="flex flex-col gap-3">
      <h2 id="components" className="text-base font-semibold">
        Components
      </h2>
      <Table heads={["Path", "State", "HTTP prefix"]} label="Components">
        {components
          .filter((each) => each.path !== "")
          .map((each) => (
            <tr key={each.id}>
              <td className="font-mono">{each.path}</td>
              <td className={each.state === "unmounted" ? "text-warm" : ""}>{each.state}</td>
              <td className="font-mono">{each.httpPrefix ?? "–"}</td>
            </tr>
          ))}
      </Table>
    </section>
  );
}
