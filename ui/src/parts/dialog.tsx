import { Dialog as Radix } from "radix-ui";
import { X } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "./button";

/** A window above the page. The keyboard stays in it; Escape and a click beside it close it. */
export function Dialog(props: { title: string; onClose: () => void; children: ReactNode; wide?: boolean }) {
  return (
    <Radix.Root open onOpenChange={(isOpen) => !isOpen && props.onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-10 bg-black/40" />
        <Radix.Content
          aria-describedby={undefined}
          className={`fixed inset-x-3 top-[6dvh] z-10 mx-auto flex max-h-[88dvh] flex-col gap-4 overflow-auto rounded-lg border border-line bg-surface p-5 shadow-xl ${props.wide ? "max-w-3xl" : "max-w-lg"}`}
        >
          <div className="flex items-start gap-3">
            <Radix.Title className="mr-auto min-w-0 text-base font-semibold [overflow-wrap:anywhere]">
              {props.title}
            </Radix.Title>
            <Radix.Close asChild>
              <Button kind="quiet" aria-label="Close">
                <X size={16} aria-hidden />
              </Button>
            </Radix.Close>
          </div>
          {props.children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

/** Asks before something that cannot be taken back. */
export function Confirm(props: {
  title: string;
  verb: string;
  children: ReactNode;
  onConfirm: () => void;
  onClose: () => void;
}) {
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <div>{props.children}</div>
      <div className="flex justify-end gap-2">
        <Button onClick={props.onClose}>Keep</Button>
        <Button
          kind="danger"
          onClick={() => {
            props.onClose();
            props.onConfirm();
          }}
        >
          {props.verb}
        </Button>
      </div>
    </Dialog>
  );
}
