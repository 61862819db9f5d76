<?php
// /local/ajax/call-token.php: the token of the user who is logged in, valid for 10 minutes.
// ZVONOK_AUTH_SECRET is the notifier's; keep it where the web server can read it and visitors cannot.
if (getenv('ZVONOK_USER') === false) { // in Bitrix; the variable is for trying this file on the command line
    require $_SERVER['DOCUMENT_ROOT'] . '/bitrix/modules/main/include/prolog_before.php';
    global $USER;
    $user = $USER->IsAuthorized() ? (int) $USER->GetID() : 0;
    if (!$user) { http_response_code(401); exit; }
} else {
    $user = (int) getenv('ZVONOK_USER');
}
$encode = fn($data) => rtrim(strtr(base64_encode($data), '+/', '-_'), '=');
$claims = ['sub' => (string) $user, 'aud' => 'zvonok', 'exp' => time() + 600];
$text = $encode(json_encode(['alg' => 'HS256', 'typ' => 'JWT'])) . '.' . $encode(json_encode($claims));
header('Content-Type: text/plain');
header('Cache-Control: no-store');
echo $text . '.' . $encode(hash_hmac('sha256', $text, getenv('ZVONOK_AUTH_SECRET'), true));
