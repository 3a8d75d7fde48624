// What is shown to whom nobody knows: in one part, because the one page speaks to the servers as the other does.
export { PasswordPage } from "./password-page.tsx";
export { SignInPage } from "./sign-in-page.tsx";
