// A dot beside a name: filled while they are online. What it says stands beside it for those who can't see it.
export function PresenceDot({ isOnline }: { readonly isOnline: boolean }) {
  return (
    <span className="presence" data-online={isOnline} aria-hidden="true">
      {isOnline ? "●" : "○"}
    </span>
  );
}
