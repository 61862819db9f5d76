import { useState } from 'react';
import { CallNotification, useCallNotifications } from 'zvonok-client/react';

// The CRM answers this with the token of the user who is logged in (see "The token" in docs/integration.md).
async function getToken() {
  const answer = await fetch('/call-token');
  return answer.ok ? answer.text() : '';
}

const calls = { url: 'https://calls.example.ru', getToken };

export function App() {
  const [dealer, setDealer] = useState(null);
  return (
    <>
      <Header />
      <main>{dealer ? <h1>Дилер {dealer}</h1> : <h1>Сделки</h1>}</main>
      <CallNotification
        {...calls}
        position="bottom-right"
        onOpen={(call, event) => {
          if (call.caller.id === null) return; // «Создать контакт»: the link is right
          event.preventDefault(); // the CRM shows its own page instead of opening the link
          setDealer(call.caller.id);
        }}
      />
    </>
  );
}

function Header() {
  // The same options, so the same socket as the card's.
  const { primary, connection, dismiss } = useCallNotifications(calls);
  return (
    <header>
      <output data-connection={connection}>{primary ? `${primary.caller.name ?? 'Неизвестный'}: ${primary.state}` : 'Звонков нет'}</output>
      {primary && <button onClick={() => dismiss(primary.call_id)}>Скрыть</button>}
    </header>
  );
}
